# SPDX-License-Identifier: Apache-2.0
"""`python -m peeps_dashboard`."""

from .launch import main

if __name__ == "__main__":
    main()

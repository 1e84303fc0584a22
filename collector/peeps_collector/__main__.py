# SPDX-License-Identifier: Apache-2.0
"""`python -m peeps_collector` is the `peeps` command."""

from .cli.main import main

raise SystemExit(main())

# SPDX-License-Identifier: Apache-2.0
"""Everything that changes the watched program: each module undoes what it did."""

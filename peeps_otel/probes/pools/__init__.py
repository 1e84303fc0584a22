# SPDX-License-Identifier: Apache-2.0
"""Who has what a pool has lent."""

# SPDX-License-Identifier: Apache-2.0
"""What the heap says: who can still reach what is waited for."""

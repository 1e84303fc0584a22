# SPDX-License-Identifier: Apache-2.0
"""Charts of why something is slow, out of the stored history. Pure functions; the statements are in store/."""

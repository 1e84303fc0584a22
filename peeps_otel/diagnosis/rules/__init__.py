# SPDX-License-Identifier: Apache-2.0
"""One class in one file for each kind of trouble; `registry.RULES` has them all, `settings` switches and tunes them."""

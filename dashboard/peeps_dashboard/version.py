# SPDX-License-Identifier: Apache-2.0
"""The version of peeps-dashboard."""

__version__ = "0.1.0"

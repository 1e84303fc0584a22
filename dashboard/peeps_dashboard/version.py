# SPDX-License-Identifier: Apache-2.0
"""The version of peeps-dashboard: that of what is installed, for it imports nothing of the other packages."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("peeps-dashboard")
except PackageNotFoundError:  # run from its folder
    __version__ = "unknown"

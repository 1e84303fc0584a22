# SPDX-License-Identifier: Apache-2.0
"""The version of all five packages. They are built with it, and `tests/packaging` names what must follow by hand."""

__version__ = "0.1.0"

# SPDX-License-Identifier: Apache-2.0
"""The four packages have one version."""

from peeps_otel.version import __version__

__all__ = ["__version__"]

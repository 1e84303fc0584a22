# SPDX-License-Identifier: Apache-2.0
"""An OpenTelemetry distribution with peeps-otel."""

from .version import __version__

__all__ = ["__version__"]

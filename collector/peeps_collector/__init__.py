# SPDX-License-Identifier: Apache-2.0
"""The collector of peeps-otel: receives OTLP, keeps the live graph, says what is stuck, stores history."""

from .version import __version__

__all__ = ["__version__"]

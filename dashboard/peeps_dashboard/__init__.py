# SPDX-License-Identifier: Apache-2.0
"""The explorer: the verdict first, then who waits for whom. Speaks to the collector's query API and to nothing else."""

from .version import __version__

__all__ = ["__version__"]

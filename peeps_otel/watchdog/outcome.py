# SPDX-License-Identifier: Apache-2.0
"""What comes of a report: the exit codes of the process that makes it."""

from __future__ import annotations

TAKEN, FAILED, WITHOUT_STACKS = range(3)

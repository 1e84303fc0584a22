# SPDX-License-Identifier: Apache-2.0
"""Loops of peeps-otel over every object of a process, in C. `peeps-otel` finds it by itself; it is for nobody else."""

from ._native import Heap

INTERFACE = 1
"""What the methods take and give; `peeps-otel` uses it only if it is the one that it knows."""

__all__ = ["INTERFACE", "Heap"]

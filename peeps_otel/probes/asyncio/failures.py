# SPDX-License-Identifier: Apache-2.0
"""Tasks that could not be read in one look, by the type of the error."""

from __future__ import annotations


class Failures:
    """For one look."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, error: Exception) -> None:
        name = type(error).__name__
        self._counts[name] = self._counts.get(name, 0) + 1

    def told(self) -> list[str]:
        return [f"{count} tasks could not be read: {name}" for name, count in self._counts.items()]

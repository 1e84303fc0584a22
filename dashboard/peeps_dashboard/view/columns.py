# SPDX-License-Identifier: Apache-2.0
"""A table by its columns: the title of each, and its cells from above; None where there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Table = dict[str, list[str | float | None]]
Columns = Mapping[str, Sequence[str | float | None]]
"""One that is only read."""

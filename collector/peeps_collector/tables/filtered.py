# SPDX-License-Identifier: Apache-2.0
"""The filter of the tables over the whole graph: what would stand in one of them."""

from __future__ import annotations

from .kinds import TABLES
from .language import FilterError, parse
from .moment import Moment


def filtered(moment: Moment, text: str) -> set[str]:
    """The ids of the nodes that pass the filter in the table they stand in. Where a table has not all its keys, none of
    that table do. Raises FilterError where no table has."""
    found: set[str] = set()
    wrong: FilterError | None = None
    is_known = False
    for table in TABLES:
        try:
            tests = parse(text, table.columns)
        except FilterError as error:
            wrong = wrong or error
            continue
        is_known = True
        for one in table.subjects(moment):
            if one.node is not None and all(test(moment, one) for test in tests):
                found.add(one.id)
    if wrong is not None and not is_known:
        raise wrong
    return found

# SPDX-License-Identifier: Apache-2.0
"""Who names a target, kept while sources change whom they name, few or many of them."""

from __future__ import annotations

import random
from collections import Counter

from peeps_otel.diagnosis.reverse import Reverse


def test_it_says_who_names_whom_however_many_they_are_and_however_often() -> None:
    chance = random.Random(7)
    targets, sources = ["a", "b"], [f"s{n}" for n in range(9)]
    reverse = Reverse()
    named: dict[str, tuple[str, ...]] = dict.fromkeys(sources, ())
    sizes: set[int] = set()
    for _ in range(2000):
        source = chance.choice(sources)
        after = tuple(chance.choices(targets, k=chance.choice([0, 0, 1, 2, 3])))
        changed = reverse.replace(source, named[source], after)
        assert changed == (set() if named[source] == after else {*named[source], *after})
        named[source] = after
        for target in targets:
            wanted = Counter(one for one, names in named.items() for name in names if name == target)
            found = reverse.by.get(target, ())
            assert set(found) == wanted.keys()
            assert len(found) == len(wanted)
            if isinstance(found, dict):
                assert found == wanted
            sizes.add(len(found))
    assert sizes == set(range(10))
    for source in sources:
        reverse.replace(source, named[source], ())
    assert reverse.by == {}

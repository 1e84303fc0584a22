# SPDX-License-Identifier: Apache-2.0
"""Which of very many tasks were met before is found without asking of each."""

from __future__ import annotations

import random
from typing import Any
from weakref import ref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_otel.probes.asyncio import met_before as module
from peeps_otel.probes.asyncio.met_before import Met, met_before
from tests.support.examples import examples


class Thing:
    """Stands for a task; compared, it would tell that code of the program ran."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = object.__hash__


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([0, 1, 5, 300, 2000]), st.booleans())
def test_who_is_met_was_and_hardly_anybody_is_asked_again(seed: int, moves: int, keeps: bool) -> None:
    """`keeps`: those that are in the list no more still live, as tasks do whose end somebody still reads."""
    chance = random.Random(seed)
    things: list[Any] = [Thing() for _ in range(2000)]
    kept: list[Any] = []
    before = [ref(thing) for thing in things]
    were_met = bytearray(chance.choices([0, 1], [1, 50], k=len(before)))
    asked = {id(one) for one, met in zip(before, were_met, strict=True) if not met}
    references: list[Any] = list(before)
    known = {id(one) for one in before}
    for _ in range(moves):
        place = chance.randrange(len(things))
        if chance.random() < 0.5:
            thing = Thing()
            things.insert(place, thing)
            references.insert(place, ref(thing))
        else:
            gone = things.pop(place)
            del references[place]
            kept += [gone] if keeps else []
            del gone
    if seed % 4 == 0:
        chance.shuffle(references)
    found = met_before(references, Met(before, were_met), lambda: None)
    assert len(found) == len(references)
    again = 0
    for one, met in zip(references, found, strict=True):
        expected = id(one) in known and id(one) not in asked
        assert expected or not met
        again += expected and not met
    assert again <= 2 * moves + (len(references) // 8 if seed % 4 == 0 else 0)


def test_a_hundred_of_ten_thousand_cost_no_table_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    in_any_order: list[int] = []
    table = module._of_any_order  # pyright: ignore[reportPrivateUsage]  # what is not to be done

    def noted(references: list[Any], *rest: Any) -> bytearray:
        in_any_order.append(len(references))
        return table(references, *rest)

    monkeypatch.setattr(module, "_of_any_order", noted)
    things: list[Any] = [Thing() for _ in range(10_000)]
    before: list[Any] = [ref(thing) for thing in things]
    for place in range(50, 10_000, 100):
        things[place] = Thing()
    found = met_before([ref(thing) for thing in things], Met(before, bytearray(b"\1" * 10_000)), lambda: None)
    assert (found.count(0), in_any_order) == (100, [0])

# SPDX-License-Identifier: Apache-2.0
"""The reduction on arrays says what the one without says."""

from __future__ import annotations

import random

import pytest

from peeps_collector.graph import reduction
from peeps_collector.graph.reduction import residue_of_many
from peeps_otel.diagnosis.reduction import Requirement, residue
from tests.support.examples import examples


def _random(size: int, seed: int, threads: int) -> dict[str, Requirement]:
    """Up to four providers each; about half of the graphs leave something stuck."""
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(size)]
    found: dict[str, Requirement] = {}
    for name in names:
        if chance.random() < 0.97:
            providers = chance.sample(names, min(size, chance.randint(0, 4)))
            k = chance.randint(1, max(1, len(providers)))
            thread = names[chance.randrange(threads)] if threads and chance.random() < 0.3 else None
            found[name] = Requirement(k if providers or chance.random() < 0.02 else 0, providers, thread)
    return found


@pytest.fixture(
    params=[(1, 0.5), (64, 0.5), (10**9, 0.5), (1, 0.0), (10**9, 0.0), (64, 1.0)],
    ids=["arrays", "both", "one by one", "no sweep, arrays", "no sweep, one by one", "sweeps"],
)
def rounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduction, "_ARRAYS_FROM", 0)
    monkeypatch.setattr(reduction, "_ROUND_FROM", request.param[0])
    monkeypatch.setattr(reduction, "_SWEEP_WHILE_LEFT", request.param[1])


@pytest.mark.usefixtures("rounds")
@pytest.mark.parametrize("threads", [0, 3])
def test_the_same_answer(threads: int) -> None:
    sizes = [1, 2, 3, 5, 8, 50, 400, 3000]
    graphs = max(5 * len(sizes), examples(200))
    answers = 0
    for seed in range(graphs):
        conditions = _random(sizes[seed % len(sizes)], seed, min(threads, sizes[seed % len(sizes)]))
        expected = residue(conditions)
        assert residue_of_many(conditions) == expected, seed
        answers += bool(expected)
    assert graphs / 10 < answers < graphs


@pytest.mark.usefixtures("rounds")
def test_nothing() -> None:
    assert residue_of_many({}) == set()


def test_a_long_chain_is_linear() -> None:
    size = 50_000
    chain = {str(n): Requirement(1, (str(n + 1),)) for n in range(size)}
    assert residue_of_many(chain) == set()
    assert len(residue_of_many(chain | {str(size): Requirement(1, ())})) == size + 1

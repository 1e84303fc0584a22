# SPDX-License-Identifier: Apache-2.0
"""A pool whose workers end as soon as they start."""

from __future__ import annotations

from peeps_otel.model import AttributeValue, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_SAID = (
    "MainThread waits for future MapResult, but the workers of the pool end as soon as they start, and are replaced "
    "again and again"
)


def _waiting(**attributes: AttributeValue) -> World:
    world = World()
    result = world.resource(NodeKind.FUTURE, "MapResult", providers=Providers.OPEN)
    about: dict[str, AttributeValue] = {"peeps__pool__workers_end_since": START, "peeps__pool__workers_ended": 12}
    world.nodes[result].attributes.update(
        {key.replace("__", "."): value for key, value in (about | attributes).items()}
    )
    world.thread("MainThread", result, operation="pool.result")
    return world


def test_is_a_suspicion_that_opens_at_what_each_of_them_begins_with() -> None:
    world = _waiting(peeps__pool__initializer="connect at /srv/app/db.py:12")
    assert diagnose(world, after=4 * SECOND) == []
    (finding,) = diagnose(world, after=10 * SECOND)
    assert brief([finding]) == [
        ("never_ends", "SUSPECT", f"{_SAID}; each begins with its initializer connect at app/db.py:12")
    ]
    assert finding.look_at == "/srv/app/db.py:12"


def test_or_at_the_wait_where_nothing_is_known_of_that() -> None:
    (finding,) = diagnose(_waiting(), after=10 * SECOND)
    assert finding.title == _SAID
    assert finding.look_at

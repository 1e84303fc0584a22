# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import json
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from peeps_otel.diagnosis import blame, blame_formats
from peeps_otel.diagnosis.blame import Charge, Holder, Wait

MS = 1_000_000


def wait(waiter: str, began: int, ended: int, site: str = "", **more: Any) -> Wait:
    """Milliseconds."""
    defaults: dict[str, Any] = {"resource": "lock db", "wanted": True}
    return Wait(waiter, began * MS, ended * MS, site or f"{waiter}.py:1", **(defaults | more))


def shares(charges: list[Charge]) -> dict[tuple[str, str], int]:
    """Milliseconds by waiter site and holder site."""
    return {(one.waiter_site, one.holder_site): one.ns // MS for one in charges}


def test_a_holder_that_runs_is_charged_where_it_took_the_lock() -> None:
    (one,) = blame.charge([wait("a", 0, 10, holders=(Holder("b", "b.py:7"),))])
    assert (one.waiter_site, one.holder_site, one.ns, one.hops, one.waits) == ("a.py:1", "b.py:7", 10 * MS, 0, 1)


def test_what_the_holder_waited_for_meanwhile_is_passed_on() -> None:
    charges = blame.charge(
        [
            wait("a", 0, 10, holders=(Holder("b", "b.py:7"),)),
            wait("b", 2, 8, "b.py:9", holders=(Holder("c", "c.py:3"),), resource="lock cache"),
        ]
    )
    assert shares(charges) == {("a.py:1", "b.py:7"): 4, ("a.py:1", "c.py:3"): 6, ("b.py:9", "c.py:3"): 6}
    assert {one.hops for one in charges if one.waiter_site == "a.py:1"} == {0, 1}


def test_a_holder_that_sleeps_is_charged_where_it_sleeps() -> None:
    charges = blame.charge(
        [
            wait("a", 0, 10, holders=(Holder("b", "b.py:7"),)),
            wait("b", 1, 20, "b.py:8", resource="sleep", wanted=False, stack=("main (b.py:2)", "work (b.py:8)")),
        ]
    )
    assert shares(charges) == {("a.py:1", "b.py:8"): 9, ("a.py:1", "b.py:7"): 1}
    assert charges[0].holder_stack == ("main (b.py:2)", "work (b.py:8)")


def test_a_wait_for_what_has_merely_not_come_is_left_out_unless_asked_for() -> None:
    idle = wait("a", 0, 10, resource="queue.get", wanted=False)
    assert blame.charge([idle]) == []
    assert shares(blame.charge([idle], wanted_only=False)) == {("a.py:1", blame.UNKNOWN): 10}


def test_without_a_holder_the_one_who_ended_the_wait_is_charged() -> None:
    (one,) = blame.charge([wait("a", 0, 10, waker="b.py:12")])
    assert one.holder_site == "b.py:12"


def test_holders_of_a_semaphore_share() -> None:
    holders = (Holder("b", "b.py:1"), Holder("c", "c.py:1"), Holder("d", "d.py:1"))
    charges = blame.charge([wait("a", 0, 10, holders=holders)])
    assert sum(one.ns for one in charges) == 10 * MS
    assert len(charges) == 3


def test_a_ring_ends() -> None:
    ring = [
        wait("a", 0, 10, holders=(Holder("b", "b.py:7"),)),
        wait("b", 0, 10, holders=(Holder("a", "a.py:7"),)),
    ]
    assert shares(blame.charge(ring)) == {("a.py:1", "a.py:7"): 10, ("b.py:1", "b.py:7"): 10}


def test_the_table() -> None:
    charges = blame.charge(
        [
            wait("a", 0, 10, holders=(Holder("b", "b.py:7"),)),
            wait("c", 0, 30, holders=(Holder("b", "b.py:7"),), resource="lock cache"),
            wait("a", 20, 25, holders=(Holder("d", "d.py:1"),)),
        ]
    )
    first, second = blame.table(charges)
    assert first == blame.Row(
        "b.py:7", 40 * MS, 40 * MS, 2, ("lock cache", "lock db"), (("c.py:1", 30 * MS), ("a.py:1", 10 * MS))
    )
    assert second.holder_site == "d.py:1"


WHO = st.sampled_from("abcde")


def _any_wait(waiter: str, began: int, length: int, holders: list[str], wanted: bool) -> Wait:
    held = tuple(Holder(holder, f"{holder}.py:7") for holder in holders)
    return wait(waiter, began, began + length, holders=held, wanted=wanted)


WAITS = st.lists(
    st.builds(
        _any_wait,
        WHO,
        st.integers(0, 50),
        st.integers(0, 40),
        st.lists(WHO, max_size=3, unique=True),
        st.booleans(),
    ),
    max_size=25,
)


@given(WAITS)
def test_every_nanosecond_is_charged_once(waits: list[Wait]) -> None:
    for wanted_only in (True, False):
        expected = sum(w.ended_ns - w.began_ns for w in waits if w.wanted or not wanted_only)
        charges = blame.charge(waits, wanted_only)
        assert sum(one.ns for one in charges) == expected
        assert all(one.ns > 0 for one in charges)
        assert sum(row.ns for row in blame.table(charges)) == expected


CHARGES = [
    Charge("a.py:1", "lock db", "b.py:7", ("main (a.py:9)", "take; it (a.py:1)"), ("run (b.py:2)",), 5_000_000, 2, 0),
    Charge("c.py:4", "", "(nobody known)", (), (), 1_500, 1, 3),
]


def test_folded_meets_in_the_middle() -> None:
    assert blame_formats.folded(CHARGES) == (
        "main (a.py:9);take, it (a.py:1);[lock db];run (b.py:2) 5000\nc.py:4;[waits];(nobody known) 1\n"
    )


def test_speedscope() -> None:
    document = json.loads(blame_formats.speedscope(CHARGES, "blame"))
    (profile,) = document["profiles"]
    frames = document["shared"]["frames"]
    assert profile["type"] == "sampled"
    assert profile["unit"] == "nanoseconds"
    assert profile["weights"] == [5_000_000, 1_500]
    assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])
    assert len(profile["samples"]) == len(profile["weights"])
    first = [frames[number] for number in profile["samples"][0]]
    assert first[0] == {"name": "main", "file": "a.py", "line": 9}
    assert [frame["name"] for frame in first] == ["main", "take; it", "[lock db]", "run"]


def test_pprof_by_its_schema() -> None:
    """Read back with the fields of `profile.proto`, by the real protobuf library."""
    profile = _profile_type()()
    profile.ParseFromString(gzip.decompress(blame_formats.pprof(CHARGES, 1_000, 2_000)))
    text = list(profile.string_table)
    assert text[0] == ""
    assert [(text[v.type], text[v.unit]) for v in profile.sample_type] == [("waits", "count"), ("delay", "nanoseconds")]
    assert (profile.time_nanos, profile.duration_nanos, text[profile.default_sample_type]) == (1_000, 2_000, "delay")
    functions = {f.id: (text[f.name], text[f.filename]) for f in profile.function}
    lines = {loc.id: (*functions[loc.line[0].function_id], loc.line[0].line) for loc in profile.location}
    first, second = profile.sample
    assert list(first.value) == [2, 5_000_000]
    assert list(second.value) == [1, 1_500]
    leaf_first = [lines[number] for number in first.location_id]
    assert leaf_first[0] == ("run", "b.py", 2)
    assert leaf_first[-1] == ("main", "a.py", 9)


def _profile_type() -> Any:
    """The message type of pprof, as far as it is used: names, numbers and types of its public schema."""
    file = descriptor_pb2.FileDescriptorProto(name="profile_for_test.proto", package="t", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto

    def message(name: str, /, **fields: tuple[int, str, bool]) -> None:
        made = file.message_type.add(name=name)
        for key, (number, kind, repeated) in fields.items():
            label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            types = {"int64": field.TYPE_INT64, "uint64": field.TYPE_UINT64, "string": field.TYPE_STRING}
            if kind in types:
                made.field.add(name=key, number=number, type=types[kind], label=label)
            else:
                made.field.add(name=key, number=number, type=field.TYPE_MESSAGE, type_name=f".t.{kind}", label=label)

    message("ValueType", type=(1, "int64", False), unit=(2, "int64", False))
    message("Sample", location_id=(1, "uint64", True), value=(2, "int64", True))
    message("Line", function_id=(1, "uint64", False), line=(2, "int64", False))
    message("Location", id=(1, "uint64", False), line=(4, "Line", True))
    message("Function", id=(1, "uint64", False), name=(2, "int64", False), filename=(4, "int64", False))
    message(
        "Profile",
        sample_type=(1, "ValueType", True),
        sample=(2, "Sample", True),
        location=(4, "Location", True),
        function=(5, "Function", True),
        string_table=(6, "string", True),
        time_nanos=(9, "int64", False),
        duration_nanos=(10, "int64", False),
        default_sample_type=(14, "int64", False),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Profile"))

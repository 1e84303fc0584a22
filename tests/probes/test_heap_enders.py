# SPDX-License-Identifier: Apache-2.0
"""Who could end a wait, by the heap: real programs, each in a process of its own, judged by probes and diagnosis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("heap_cases.py")
ADDRESS_IN_A_NUMBER = "bare_address"  # nobody can see that one

STUCK = {
    "event_ring": ("deadlock", {"PROVEN"}, {"a", "b"}),
    "pool_exhausted_taker_gone": ("never_ends", {"PROVEN"}, {"waiter"}),
    "pool_nested": ("never_ends", {"PROVEN"}, {"a", "b"}),
    "condition_missed_notifier_kept": ("never_ends", {"PROVEN"}, {"waiter"}),
    "lost_reply_reader_dead": ("never_ends", {"LIKELY"}, {"caller"}),
    "lost_reply_reader_dead_global": ("never_ends", {"LIKELY"}, {"caller"}),
    "lost_reply_bystander": ("never_ends", {"SUSPECT"}, {"caller"}),
    "pool_forgotten_in_global": ("never_ends", {"LIKELY"}, {"waiter"}),
    "producer_consumer_dead": ("channel_full", {"LIKELY"}, {"producer"}),
    "janus_like": ("never_ends", {"LIKELY"}, {"producer", "waiter"}),
    "thread_event_ring": ("deadlock", {"LIKELY"}, {"t-a", "t-b"}),
    "callback_put_off": ("never_ends", {"LIKELY", "SUSPECT"}, {"bot"}),
    "callbacks_of_two_loops": ("deadlock", {"LIKELY"}, {"t-a", "t-b"}),
    "global_event_never": ("never_ends", {"LIKELY", "SUSPECT"}, {"waiter"}),
    "global_lock_of_a_dead_thread": ("lock_starved", {"LIKELY"}, {"enters"}),
    "only_waited_for": ("never_ends", {"LIKELY"}, {"waiter"}),
    "reached_by_every_connection": ("never_ends", {"LIKELY", "SUSPECT"}, {"waiter"}),
    "weak_only": ("never_ends", {"SUSPECT"}, {"caller"}),
    "spent_setter": ("never_ends", {"SUSPECT"}, {"waiter"}),
    "server_stops_itself": ("never_ends", {"LIKELY", "SUSPECT"}, {"server"}),
    "signal_only_notes": ("never_ends", {"LIKELY"}, {"waiter"}),
}
NAMED = {
    "lost_reply_reader_live": "reader: Client.on_reply uses set_result",
    "thread_event_live": "late: thread_event_live.<locals>.late uses set",
    "global_event_live": "setter: global_event_live.<locals>.later uses set",
    "context_only": "setter: context_only.<locals>.later uses set",
}
LIVE = (
    "lost_reply_reader_live",
    "thread_event_live",
    "call_later_sets",
    "callback_of_a_loop_that_sleeps",
    "timer_of_another_loop",
    "signal_sets",
    "signal_module",
    "global_event_live",
    "context_only",
    "slot_behind_a_property",
    "attributes_in_turn",
    "attribute_by_its_name",
    "method_of_a_subclass",
    "out_of_a_table",
    "set_by_a_request",
    "stack_of_running_thread",
    "c_reference",
    "ctypes_callback",
    "numpy_array",
    "frozen",
    "generator_on_stack",
    "c_call_in_pool",
    "finalizer",
    "context_of_timer",
    "profile_function",
    "bound_method",
    "timer",
    "ready_queue",
    "stream",
    "executor",
    "child_process",
    "garbage_finally",
    "bounded",
)
ON_UVLOOP = (
    "event_ring",
    "lost_reply_reader_live",
    "call_later_sets",
    "signal_sets",
    "timer",
    "stream",
    "child_process",
)


def judged(name: str, loop: str = "asyncio") -> dict[str, Any]:
    environment = os.environ | {"LOOP": loop, "BEFORE_S": "2" if name == "numpy_array" else "0.5"}
    command = [sys.executable, str(PROGRAM), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert done.stdout, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["not_asked"] == ""
    return said


def alarms(said: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(f["kind"], f["level"], f["title"]) for f in said["findings"] if f["level"] != "SLOW"]


@pytest.mark.parametrize("name", STUCK)
def test_a_wait_that_nobody_will_end_is_told_with_who_waits(name: str) -> None:
    kind, levels, names = STUCK[name]
    said = judged(name)
    found = [f for f in said["findings"] if f["kind"] == kind]
    assert found, said
    assert {f["level"] for f in found} <= levels
    assert names & {one for f in found for one in f["core"]} or names & set(found[0]["title"].split())


@pytest.mark.parametrize("name", LIVE)
def test_a_waker_that_hides_takes_the_alarm_away(name: str) -> None:
    if name == "numpy_array":
        pytest.importorskip("numpy")
    said = judged(name)
    assert alarms(said) == []
    assert NAMED.get(name, "") in said["by"].get("peeps.could_end.by", "")


@pytest.mark.parametrize("name", ON_UVLOOP)
def test_the_same_on_uvloop(name: str) -> None:
    pytest.importorskip("uvloop")
    said = judged(name, "uvloop")
    if name in STUCK:
        assert {(kind, level) for kind, level, _ in alarms(said)} <= {("deadlock", "PROVEN"), ("deadlock", "LIKELY")}
    else:
        assert alarms(said) == []


def test_a_name_made_at_run_time_is_no_more_than_a_suspicion() -> None:
    assert [(kind, level) for kind, level, _ in alarms(judged("dynamic_name"))] == [("never_ends", "SUSPECT")]


def test_a_holder_in_sight_says_more_than_the_heap() -> None:
    assert [f["kind"] for f in judged("lock_held_by_sleeper")["findings"]] == ["held_across_wait"]

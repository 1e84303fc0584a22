# SPDX-License-Identifier: Apache-2.0
"""What a function does with a thing that it knows by a name: it keeps it where it is, or may end a wait for it."""

from __future__ import annotations

from types import CodeType

import pytest

from peeps_otel.probes.heap.uses import Uses

EVENT = frozenset({"set"})
CONDITION = frozenset({"notify", "notify_all"})
LOCK = frozenset({"release"})


def code(source: str) -> CodeType:
    """The code of the one function in `source`."""
    return next(one for one in compile(source, "app.py", "exec").co_consts if type(one) is CodeType)


@pytest.mark.parametrize(
    "source",
    [
        "def f(): gate.wait()",
        "def f(self): return self.gate.is_set()",
        "async def f(gate): await gate.wait(); await gate",
        "def f(gate):\n  while not gate.is_set(): gate.wait(1)",
        "def f(gate, other): gate.wait(); other.set()",
        "def f():\n  global gate\n  gate = make()",
        "def f(self): self.gate = make()",
        "def f(): return [one for one in rows if gate.is_set()]",
    ],
)
def test_who_only_asks_keeps_it_where_it_is(source: str) -> None:
    assert not Uses().lets_go(code(source), frozenset({"gate"}), EVENT)


@pytest.mark.parametrize(
    "source",
    [
        "def f(): gate.set()",
        "def f(self): self.gate.set()",
        "def f(self):\n  gate = self.gate\n  gate.set()",
        "def f(gate): give(gate)",
        "def f(gate): give(gate=gate)",
        "def f(gate): return gate",
        "def f(gate): yield gate",
        "def f(self): return [self.gate, None]",
        "def f(self, gate): self.other = gate",
        "def f(gate): gate._waiters.clear()",
        "def f(self): getattr(self, 'gate').set()",
        "def f():\n  from app import gate\n  gate.set()",
        "def f(gate):\n  def g(): gate.set()\n  return g",
        "def f(gate): return lambda: gate.set()",
        "def f(gate): finish = gate.set; finish()",
    ],
)
def test_who_may_end_a_wait_for_it_or_hands_it_on_does_not(source: str) -> None:
    assert Uses().lets_go(code(source), frozenset({"gate"}), EVENT)


def test_leaving_a_condition_notifies_nobody_and_leaving_a_lock_lets_it_go() -> None:
    enters = code("def f(gate):\n  with gate: gate.wait()")
    assert Uses().lets_go(enters, frozenset({"gate"}), LOCK)
    assert Uses().lets_go(code("def f(gate):\n  with gate: gate.notify()"), frozenset({"gate"}), CONDITION)


def test_without_names_everybody_may() -> None:
    assert Uses().lets_go(code("def f(): pass"), None, EVENT)

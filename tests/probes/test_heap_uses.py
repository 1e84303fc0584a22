# SPDX-License-Identifier: Apache-2.0
"""What a function does with a thing that it knows by a name: it keeps it where it is, or may end a wait for it."""

from __future__ import annotations

import sys
from types import CodeType

import pytest

from peeps_otel.probes.heap.uses import Known, Name, Uses

EVENT = frozenset({"set"})
CONDITION = frozenset({"notify", "notify_all"})
LOCK = frozenset({"release"})


def lets_go(source: str, wakers: frozenset[str] = EVENT) -> bool:
    """Whether the one function in `source` does more with what is `gate` to it than wait for it."""
    function = code(source)
    known: Known = frozenset({Name("gate", "app"), Name("gate", id(function))})
    return Uses(lambda _file, _module: True).lets_go(function, known, wakers)


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
    assert not lets_go(source)


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
    assert lets_go(source)


def test_leaving_a_condition_notifies_nobody_and_leaving_a_lock_lets_it_go() -> None:
    enters = "def f(gate):\n  with gate: gate.wait()"
    assert lets_go(enters, LOCK)
    assert not lets_go(enters, CONDITION) or sys.version_info >= (3, 14)
    assert lets_go("def f(gate):\n  with gate: gate.notify()", CONDITION)


def test_a_variable_of_another_function_is_another_thing() -> None:
    waits, other = code("def f(gate): gate.wait()"), code("def g(gate): gate.set()")
    assert not Uses(lambda _file, _module: True).lets_go(other, frozenset({Name("gate", id(waits))}), EVENT)


def test_a_library_does_not_use_the_attributes_of_a_module_that_it_does_not_know() -> None:
    other = code("def g(self): self.gate.set()")
    known: Known = frozenset({Name("gate", "app")})
    assert Uses(lambda _file, _module: True).lets_go(other, known, EVENT)
    assert not Uses(lambda _file, _module: False).lets_go(other, known, EVENT)


def test_without_names_everybody_may() -> None:
    assert Uses(lambda _file, _module: False).lets_go(code("def f(): pass"), None, EVENT)

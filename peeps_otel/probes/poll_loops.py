# SPDX-License-Identifier: Apache-2.0
"""Loops by which code asks again and again: `while not ready: sleep(0.1)`, and those that try again what has raised.

By the bytecode alone. A loop that does something each time round, as a heartbeat does, is none, nor is one that only an
exception ends, nor one over the items of something, which comes on by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import CodeType

from .internals.instructions import effect
from .of_code import OfCode
from .poll import Asks
from .threads.bytecode import NO_FALL_THROUGH, Code, analysis

_OPS_MOST = 2000  # of a function: a longer one is not analysed
_KEPT = 1024
_AWAIT = frozenset({"LOAD_CONST", "SEND", "YIELD_VALUE", "RESUME", "JUMP_BACKWARD_NO_INTERRUPT", "END_SEND", "CACHE"})
_LOADS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_FAST", "LOAD_DEREF")
_SETS = frozenset({"STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL", "STORE_DEREF", "DELETE_ATTR", "DELETE_SUBSCR"})
_AWAITS = frozenset({"GET_AWAITABLE", "GET_ANEXT"})
_FOR = frozenset({"FOR_ITER", "GET_ANEXT"})
_INTRINSIC = "CALL_INTRINSIC_1"
_RETURNS = frozenset({"RETURN_VALUE", "RETURN_CONST"})
_RAISES = frozenset({"RAISE_VARARGS", "RERAISE"})
_BETWEEN_NAMES = frozenset({"BUILD_TUPLE", "CACHE", "LOAD_ATTR"})
_TELLS = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print", "flush"})
_SLEEPS = frozenset({"sleep", "wait", "wait_for"})
_CLOCKS = frozenset({"monotonic", "time", "perf_counter"})
"""Who asks them gives up some day."""
_NOTHING_YET = frozenset(
    {"Empty", "QueueEmpty", "WouldBlock", "BlockingIOError", "TimeoutError", "timeout", "IndexError", "KeyError"}
)
_NO_ANSWER = _TELLS | _SLEEPS
_ASKS_STATE = frozenset(
    {"is_set", "done", "cancelled", "locked", "acquire", "get_nowait", "empty", "full", "qsize", "is_alive", "len"}
)


class _Flow:
    """Where each instruction of a function may lead, by numbers of instructions."""

    def __init__(self, code: Code) -> None:
        self.ops = code.ops
        number = {op.offset: place for place, op in enumerate(self.ops)}
        self.plain: list[list[int]] = []
        """Without exceptions."""
        self.all: list[list[int]] = []
        regions = [(one.start, one.end, number[one.target]) for one in code.regions if one.target in number]
        for place, op in enumerate(self.ops):
            target = code.target(place)
            onward = [] if target is None else [number[target]]
            if op.name not in NO_FALL_THROUGH and place + 1 < len(self.ops):
                onward.append(place + 1)
            self.plain.append(onward)
            self.all.append(onward + [to for start, end, to in regions if start <= op.offset < end])

    def loops(self) -> dict[int, set[int]]:
        """The natural loops: by the first instruction, which every way in passes, all of them."""
        into: list[list[int]] = [[] for _ in self.ops]
        for place, onward in enumerate(self.all):
            for other in onward:
                into[other].append(place)
        found: dict[int, set[int]] = {}
        for place, op in enumerate(self.ops):
            if "JUMP" not in op.name or op.name == "JUMP_BACKWARD_NO_INTERRUPT":
                continue  # the last: an `await`
            for head in self.plain[place]:
                if head <= place and place not in reach(self.all, 0, {head}):
                    found.setdefault(head, {head}).update(reach(into, place, {head}))
        return found


def reach(onward: list[list[int]], start: int, without: set[int]) -> set[int]:
    """What can be come to from `start`, which is one of them, past none of `without`."""
    if start in without:
        return set()
    seen, work = {start}, [start]
    while work:
        for other in onward[work.pop()]:
            if other not in seen and other not in without:
                seen.add(other)
                work.append(other)
    return seen


class PollLoops:
    """Of one function."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self._analysis = analysis(code)
        ops = self._analysis.ops
        self._flow = _Flow(self._analysis) if 0 < len(ops) <= _OPS_MOST else None
        self._loops = {} if self._flow is None else self._flow.loops()
        self._answers: dict[int, tuple[int, Asks | None] | None] = {}
        self._places: list[tuple[int | None, ...]] | None = None

    @property
    def has_any(self) -> bool:
        return bool(self._loops)

    def at(self, lasti: int) -> tuple[int, Asks | None] | None:
        """Of the innermost loop that the instruction at the offset `lasti` is in: the offset at which it begins, and
        whom it asks; None: it does not merely ask. None where it is in no loop."""
        if lasti not in self._answers:
            self._answers[lasti] = self._at(lasti)
        return self._answers[lasti]

    def begins_at(self, lasti: int) -> bool:
        """Whether the call that the instruction is in is the first that a turn of its innermost loop makes, but for
        what only asks. Not of a loop over items that are there already."""
        op = self._analysis.op_at(lasti)
        if op is None or self._flow is None:
            return False
        flow, here = self._flow, self._flow.ops.index(op)
        head = self._innermost(here)
        is_call = op.name.startswith("CALL")
        while not is_call and here > (head or 0) and flow.ops[here].name not in _AWAITS:
            here -= 1  # to where the `await` begins
        if self._is_condition(here, is_call):
            return True
        if head is None:
            return False
        body = self._loops[head]
        if any(flow.ops[one].name == "FOR_ITER" and not body.issuperset(flow.plain[one]) for one in body):
            return False
        before = reach(flow.plain, head, (set(range(len(flow.ops))) - body) | {here})
        return self._only_asks(before, is_call)

    def _only_asks(self, before: Iterable[int], is_call: bool) -> bool:
        """Whether these instructions call nothing but what only asks, and what has given what is awaited."""
        assert self._flow is not None
        ops = self._flow.ops
        calls = [one for one in before if ops[one].name.startswith("CALL") and ops[one].name != _INTRINSIC]
        others = [one for one in calls if self._called(one) not in _ASKS_STATE | _CLOCKS]
        return len(others) <= (0 if is_call else 1)

    def _is_condition(self, here: int, is_call: bool) -> bool:
        """Whether an instruction is the first call in the condition of a `while`: of that there are two copies, one
        before the loop and one at its end."""
        assert self._flow is not None
        ops, everything = self._flow.ops, range(len(self._flow.ops))
        copies = [
            one
            for one in everything
            if one != here and ops[one].name == ops[here].name and self._place(one) == self._place(here)
        ]
        for other in copies:
            for inside, outside in ((here, other), (other, here)):
                head = self._innermost(inside)
                if head is None or outside in self._loops[head] or head not in reach(self._flow.plain, outside, set()):
                    continue
                body = self._loops[head]
                copied = {self._place(one) for one in everything if (one in body) is not (here in body)}
                first = here
                while first > 0 and self._place(first - 1) in copied:
                    first -= 1
                return self._only_asks(range(first, here), is_call)
        return False

    def _place(self, one: int) -> tuple[int | None, ...]:
        """The piece of source text that an instruction was made of: lines and columns."""
        assert self._flow is not None
        if self._places is None:
            self._places = list(self.code.co_positions())
        return self._places[self._flow.ops[one].offset // 2]

    def uses(self, lasti: int) -> bool | None:
        """Whether the function does something with what the `await` gives that the instruction is in; None: it returns
        it."""
        op = self._analysis.op_at(lasti)
        if op is None or self._flow is None:
            return False
        ops = self._flow.ops
        place = ops.index(op)
        while place < len(ops) and ops[place].name in _AWAIT:
            place += 1
        name = ops[place].name if place < len(ops) else "POP_TOP"
        return None if name in _RETURNS else name != "POP_TOP"

    def catches(self, lasti: int) -> str:
        """What the handler of an exception that an instruction is in is for, as `OSError, TimeoutError`; empty where it
        is in none, or that is not named."""
        op = self._analysis.op_at(lasti)
        if op is None or self._flow is None:
            return ""
        ops = self._flow.ops
        here = ops.index(op)
        begins = next((one for one in range(here, -1, -1) if ops[one].name == "PUSH_EXC_INFO"), here)
        checked = next((one for one in range(here, begins, -1) if ops[one].name == "CHECK_EXC_MATCH"), begins)
        found: list[str] = []
        for one in range(checked - 1, begins, -1):
            name = ops[one].name
            if name.startswith(_LOADS):
                if ops[one + 1].name not in ("LOAD_ATTR", "LOAD_METHOD"):
                    found.append(self._analysis.name_of(ops[one]))
            elif name not in _BETWEEN_NAMES:
                break
        return ", ".join(reversed(found))

    def _at(self, lasti: int) -> tuple[int, Asks | None] | None:
        op = self._analysis.op_at(lasti)
        if op is None or self._flow is None:
            return None
        here = self._flow.ops.index(op)
        head = self._innermost(here)
        if head is None:
            return None
        return self._flow.ops[head].offset, self._asks(head, self._loops[head], here)

    def _innermost(self, here: int) -> int | None:
        """The loop that an instruction is in, by its first; None: it is in none."""
        around = [(len(body), head) for head, body in self._loops.items() if here in body]
        return min(around)[1] if around else None

    def _asks(self, head: int, body: set[int], here: int) -> Asks | None:
        flow = self._flow
        assert flow is not None
        if any(flow.ops[one].name in _FOR and not body.issuperset(flow.plain[one]) for one in body):
            return None  # its items end it
        outside = set(range(len(flow.ops))) - body
        normal = reach(flow.plain, head, outside)
        ends = any(self._returns(to) for one in normal for to in flow.plain[one] if to not in body)
        if here not in normal:
            return Asks.AGAIN if ends or not self._is_idle(here) else None
        if not ends:
            return None
        asks = Asks.STATE
        for one in sorted(normal):
            op = flow.ops[one]
            if op.name in _SETS:
                return None
            if not op.name.startswith("CALL") or op.name == _INTRINSIC:
                continue
            name = self._called(one)
            if name in _NO_ANSWER or one == here:
                continue
            if name not in _CLOCKS and self._is_thrown_away(one):
                return None
            if name not in _ASKS_STATE:
                asks = Asks.CODE
        return asks

    def _is_idle(self, here: int) -> bool:
        """Whether the handler of an exception that an instruction is in is for one that says: there is nothing yet."""
        assert self._flow is not None
        ops = self._flow.ops
        begins = next((one for one in range(here, -1, -1) if ops[one].name == "PUSH_EXC_INFO"), None)
        if begins is None:
            return True
        checked = next((one for one in range(begins, here) if ops[one].name == "CHECK_EXC_MATCH"), begins)
        return any(self._analysis.name_of(op) in _NOTHING_YET for op in ops[begins:checked])

    def _returns(self, start: int) -> bool:
        assert self._flow is not None
        ways = reach(self._flow.plain, start, set())
        names = {self._flow.ops[one].name for one in ways}
        return bool(names & _RETURNS) or not names & _RAISES  # else only an exception leaves

    def _is_thrown_away(self, call: int) -> bool:
        """Whether nobody looks at what a call, or what is awaited of it, has given."""
        assert self._flow is not None
        ops = self._flow.ops
        place = call + 1
        if place < len(ops) and ops[place].name == "GET_AWAITABLE":
            place += 1
            while place < len(ops) and ops[place].name in _AWAIT:
                place += 1
        return place < len(ops) and ops[place].name == "POP_TOP"

    def _called(self, call: int) -> str:
        """The last name of what is called; empty where that is not how it is written."""
        assert self._flow is not None
        ops, depths = self._flow.ops, self._analysis.depths
        site = self._analysis.call(ops[call].offset)
        if site is None:
            return ""
        for place in range(call - 1, -1, -1):
            op = ops[place]
            depth = depths.get(op.offset)
            if depth is None:
                return ""
            if op.name.startswith(_LOADS) and depth + effect(op, False) <= site.slot + 2:
                return self._analysis.name_of(op)
            if depth < site.slot:
                return ""
        return ""


poll_loops = OfCode(PollLoops, _KEPT)
"""Of a function. For the watcher's thread, and for a copy of the process."""

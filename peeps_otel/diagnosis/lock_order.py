# SPDX-License-Identifier: Apache-2.0
"""Order risks: locks that are taken in opposite orders, before it ever deadlocks.

Locks made at one line are one class, for what one pair of them does another will do. Asking for B while holding A makes
an order A before B; orders that close a circle are a risk, even where the two never met in time. Not where a common
lock keeps them apart (a gate), where one and the same task does both, and where a wait gives up by itself.

An event loop's thread counts as a lock, too: what runs on it has it, and a suspended task needs it to go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..model import EvidenceStep, Finding, FindingKind, Level, finding_id
from ..model.own_line import line_of
from .wording import at

_CIRCLE_MOST = 6
_ORDERS_MOST = 8  # kept of one pair of classes, with different gates or tasks
_CHAINS_MOST = 20_000
_RISKS_MOST = 100
_PATHS_MOST = 2_000  # looked at for one new order
_NEAR_MOST = 1_000  # classes from which one way back is known, about


class Taken(NamedTuple):
    """A lock in somebody's hands, or asked for. `kind`: its class, `instance`: which one of the class, in the order of
    their making; `label`: in words; `site`: `path:line` where it was taken or asked for; `node`: its id, if it is one.
    """

    kind: str
    instance: str
    label: str
    site: str
    node: str = ""


class Order(NamedTuple):
    """`who` held `first` and asked for `then`. `gates`: what else it held. `stack`: outermost frame first."""

    first: Taken
    then: Taken
    gates: frozenset[str]
    who: str
    who_label: str
    stack: tuple[str, ...]
    seen_ns: int


class LockOrders:
    """Every order seen so far, and the risks in them. Not thread-safe: one caller.

    A chain of classes that was seen often enough costs one look-up.
    """

    def __init__(self) -> None:
        self._chains: dict[tuple[object, ...], int] = {}  # how often by other tasks or under other gates
        self._orders: dict[str, dict[str, list[Order]]] = {}
        self._before: dict[str, dict[str, None]] = {}  # by class: those it was taken after
        self._risks: dict[frozenset[str], Finding] = {}
        self.dropped = 0
        """Chains that were not looked at, for there are too many."""

    @property
    def findings(self) -> list[Finding]:
        """One for each circle of classes, in the order of their finding."""
        return list(self._risks.values())

    def saw(
        self, held: Sequence[Taken], wanted: Taken, who: str, who_label: str, stack: tuple[str, ...], now_ns: int
    ) -> None:
        """Somebody asked for `wanted`, without a limit of time, while holding `held`."""
        if not held:
            return
        chain = (wanted.kind, *((one.kind, one.instance < wanted.instance) for one in held))
        times = self._chains.get(chain, 0)
        if times >= _ORDERS_MOST:
            return
        if not times and len(self._chains) >= _CHAINS_MOST:
            self.dropped += 1
            return
        fresh = False
        for one in held:
            if one.instance == wanted.instance:
                continue  # taken twice: a deadlock, or reentrant
            gates = frozenset(other.instance for other in held if other is not one)
            order = Order(one, wanted, gates, who, who_label, stack, now_ns)
            if self._remember(order):
                fresh = True
                self._check(order)
        if fresh:
            self._chains[chain] = times + 1

    def _remember(self, order: Order) -> bool:
        known = self._orders.setdefault(order.first.kind, {}).setdefault(order.then.kind, [])
        self._before.setdefault(order.then.kind, {})[order.first.kind] = None
        same = any(
            (o.gates, o.who) == (order.gates, order.who)
            and (order.first.kind != order.then.kind or o.first.instance == order.first.instance)
            for o in known
        )
        if same or len(known) >= _ORDERS_MOST:
            return False
        known.append(order)
        return True

    def _check(self, order: Order) -> None:
        """Whether the new order closes a circle that can deadlock."""
        if order.first.kind == order.then.kind:
            circles: Iterator[list[Order]] = (
                [order, other]
                for other in self._orders[order.first.kind][order.then.kind]
                if (other.first.instance < other.then.instance) != (order.first.instance < order.then.instance)
            )
        else:
            circles = self._back(order)
        for circle in circles:
            kinds = frozenset(step.first.kind for step in circle)
            if kinds not in self._risks and len(self._risks) < _RISKS_MOST and _can_meet(circle):
                self._risks[kinds] = _finding(circle)
                return

    def _back(self, start: Order) -> Iterator[list[Order]]:
        """Circles that begin with `start`, shorter ones first. Of very many that are possible only some are looked at:
        there are more paths through a dense graph than anybody can walk."""
        home = start.first.kind
        distance = self._steps_to(home)
        paths, walked = deque([[start]]), 0
        while paths and walked < _PATHS_MOST:
            path = paths.popleft()
            walked += 1
            following = self._orders.get(path[-1].then.kind, {})
            for order in following.get(home, ()):
                yield [*path, order]
            met = {step.first.kind for step in path} | {path[-1].then.kind}
            for kind, orders in following.items():
                # Only where the rest of the way still fits.
                if kind in met or len(path) + 1 + distance.get(kind, _CIRCLE_MOST) > _CIRCLE_MOST:
                    continue
                paths.extend([*path, order] for order in orders)

    def _steps_to(self, home: str) -> dict[str, int]:
        """By class: how many orders lead from it to `home` at least; none where too many."""
        distance, reached = {home: 0}, [home]
        for steps in range(1, _CIRCLE_MOST):
            fresh = {one for kind in reached for one in self._before.get(kind, ()) if one not in distance}
            distance.update(dict.fromkeys(fresh, steps))
            reached = list(fresh)
            if not reached or len(distance) > _NEAR_MOST:
                break
        return distance


def _can_meet(circle: list[Order]) -> bool:
    """Whether all steps can be under way at once: by different tasks, with no lock in common that keeps them apart."""
    for number, one in enumerate(circle):
        for other in circle[number + 1 :]:
            if one.who == other.who or one.gates & other.gates:
                return False
    return True


def _finding(circle: list[Order]) -> Finding:
    kinds = sorted({step.first.kind for step in circle})
    names = list(dict.fromkeys(step.first.label for step in circle))
    return Finding(
        id=finding_id(FindingKind.ORDER_RISK, kinds),
        kind=FindingKind.ORDER_RISK,
        level=Level.SLOW,
        title=_title(circle, names),
        since_ns=max(step.seen_ns for step in circle),
        core=sorted({node for step in circle for node in (step.first.node, step.then.node) if node}),
        evidence=[_link(step) for step in circle],
        advice=_advice(circle, names),
        look_at=line_of(circle[-1].then.site),
    )


def _title(circle: list[Order], names: list[str]) -> str:
    if len(names) == 1:
        return f"order risk: two of the locks {names[0]} are taken in both orders," + " and".join(
            at("at", step.then.site) for step in circle
        )
    steps = [f"{step.first.label} before {step.then.label}{at('at', step.then.site)}" for step in circle]
    return "order risk: " + ", but ".join(steps)


def _link(step: Order) -> EvidenceStep:
    stack = " > ".join(step.stack)
    text = f"{step.who_label} had {step.first.label}"
    text += f",{at('taken at', step.first.site)}," if step.first.site else ""
    text += f" and asked for {step.then.label}{at('at', step.then.site)}"
    return EvidenceStep(
        waiter=step.who,
        resource=step.then.node or step.who,
        holder=None,
        since_ns=step.seen_ns,
        text=f"{text}; first seen in {stack}" if stack else text,
        wait_source=step.then.site,
        hold_since_ns=None,
        hold_source=step.first.site or None,
    )


def _advice(circle: list[Order], names: list[str]) -> str:
    if any(step.first.kind.startswith("loop:") for step in circle):
        return (
            "Never block an event loop's thread: wait in another one (asyncio.to_thread), and take a threading lock on "
            "the loop only where nobody holds it across an await."
        )
    if len(names) == 1:
        return f"Take locks made at one line in a fixed order, for example sorted by a key ({names[0]})."
    return f"Take {' and '.join(names)} in the same order everywhere, or both under one common lock."

# SPDX-License-Identifier: Apache-2.0
"""A ring of waits in words: who waits for what that whom has, what would break it, and whom to stop first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from typing import NamedTuple

from .. import semconv
from ..model import EvidenceStep, FindingKind, NodeKind, own_line
from . import evidence, wording
from .frames import place
from .reduction import Requirement
from .wait_index import WaitIndex
from .wait_links import WAITERS

_BESIDE_MOST = 20
_LOCKS = frozenset({NodeKind.LOCK, NodeKind.SEMAPHORE})
_OF_POOLS = "multiprocessing.pool."
_SAMPLES_APART_NS = 100_000_000


class Break(NamedTuple):
    """Whom to stop first, in words, and the line to open first."""

    text: str
    look_at: str


class Part(NamedTuple):
    """One task or thread of a ring, what it waits for, and the next one, who has that."""

    waiter: str
    resource: str
    holder: str


def rank(graph: WaitIndex, node: str) -> tuple[int, str, str]:
    """Things first, then who has waited longest: the same ring is told in the same way by every observer."""
    since_ns = graph.since_of(node)
    return (0 if since_ns is None else since_ns, graph.nodes[node].name, node)


def beside(graph: WaitIndex, core: list[str], cycle: list[str]) -> list[EvidenceStep]:
    """Those who hold something of the ring beside the one who is told in it: all of them would have to fail."""
    found: list[EvidenceStep] = []
    members, told = set(core), set(cycle)
    for resource in cycle:
        others = [h for h in graph.holders.get(resource, ()) if h in members and h not in told]
        for holder in sorted(others, key=lambda node: rank(graph, node))[: _BESIDE_MOST - len(found)]:
            target = next((t for t in graph.targets.get(holder, ()) if t in members), None)
            if target is not None and all(link.waiter != holder for link in found):
                found.append(evidence.link(graph, holder, target, _somebody(graph, target, members)))
    return found


def _somebody(graph: WaitIndex, resource: str, core: Set[str]) -> str | None:
    return next((h for h in graph.holders.get(resource, ()) if h in core and graph.nodes[h].kind in WAITERS), None)


def parts(graph: WaitIndex, cycle: list[str]) -> list[Part]:
    """One for each task or thread of the ring.

    Begins with the one that has waited longest for a resource, which tells more than who awaits whom. Of a thread and a
    task that began at once the task: when a thread began is known to a sample only, and the same ring is to be told in
    the same way each time.
    """
    waiters = [i for i, node in enumerate(cycle) if graph.nodes[node].kind in WAITERS]
    for_resources = [i for i in waiters if graph.nodes[cycle[(i + 1) % len(cycle)]].kind not in WAITERS]
    first = min(for_resources or waiters, key=lambda i: (_began_ns(graph, cycle[i]), graph.nodes[cycle[i]].name))
    ring = cycle[first:] + cycle[:first]
    found: list[Part] = []
    holder = ring[0]
    for position in range(len(ring) - 1, -1, -1):  # backwards: the next waiter is the one that was just met
        node = ring[position]
        if graph.nodes[node].kind in WAITERS:
            found.append(Part(node, ring[(position + 1) % len(ring)], holder))
            holder = node
    found.reverse()
    return found


def _began_ns(graph: WaitIndex, waiter: str) -> int:
    late = _SAMPLES_APART_NS if graph.nodes[waiter].kind is NodeKind.THREAD else 0
    return (graph.since_of(waiter) or 0) + late


def tellable(graph: WaitIndex, core: list[str], conditions: Mapping[str, Requirement]) -> Mapping[str, Requirement]:
    """Those of the core, without those who by the heap could end a wait but stand in such a wait themselves, at the
    same line, where somebody else of the core could end it too: a ring through him tells more."""
    members, told = set(core), {one: conditions[one] for one in core}
    owed: dict[str, list[str]] = {}  # a future by its pool: who waits for the one waits for what the other does
    for thing in core:
        for by in graph.holders.get(thing, ()):
            if by in members and graph.nodes[by].kind not in WAITERS:
                owed.setdefault(by, []).append(thing)
    for thing in core:
        able = [one for one in graph.enders.get(thing, ()) if one in members]
        lines = {_stands(graph, one) for what in (thing, *owed.get(thing, ())) for one in graph.waiters.get(what, ())}
        others = [one for one in able if _stands(graph, one) not in lines]
        if others and len(others) < len(able):
            left_out = set(able) - set(others)
            known = told[thing]
            told[thing] = known._replace(providers=[one for one in known.providers if one not in left_out])
        if graph.nodes[thing].kind is NodeKind.IO:
            # Two who read from each other are what any idle connection looks like: who is to write, but waits for
            # something else, tells what was asked over it.
            busy = [one for one in told[thing].providers if one in members and _waits_inside(graph, one)]
            if busy:
                told[thing] = told[thing]._replace(providers=busy)
    return told


def _waits_inside(graph: WaitIndex, node: str) -> bool:
    """Whether it waits for something of the program, and not for what comes over a connection."""
    targets = graph.targets.get(node, ())
    return bool(targets) and all(one in graph.nodes and graph.nodes[one].kind is not NodeKind.IO for one in targets)


def _stands(graph: WaitIndex, node: str) -> tuple[str, str] | None:
    """In which wait, and where; None for what does not wait."""
    known = graph.nodes.get(node)
    return None if known is None or known.wait is None else (known.wait.operation, known.wait.source)


def links(graph: WaitIndex, cycle: list[str]) -> list[EvidenceStep]:
    """The same with their sentences."""
    return [evidence.link(graph, *part) for part in parts(graph, cycle)]


def title(graph: WaitIndex, ring: list[EvidenceStep], beside: list[EvidenceStep]) -> str:
    """`a waits for Lock x, held by b, which waits for Lock y, held by a`. `beside`: who else holds these."""
    if len(ring) == 1 and beside and ring[0].holder is not None:
        step = ring[0]
        names = [wording.label(graph.nodes.get(node)) for node in (step.waiter, *(link.waiter for link in beside))]
        verb = wording.waits_for(graph, step.waiter, step.resource).replace("waits", "wait", 1)
        had = "queued behind" if graph.nodes[step.resource].kind is NodeKind.FUTURE else "held by"
        return f"{wording.several(names)} {verb}, {had} themselves"
    if len(ring) > 4:
        names = [wording.label(graph.nodes.get(step.waiter)) for step in ring]
        things = (
            "tasks" if all(graph.nodes[step.waiter].kind is NodeKind.TASK for step in ring) else "tasks and threads"
        )
        return f"{len(ring)} {things} wait for each other in a ring: {wording.several(names, 4)}"
    parts: list[str] = []
    told: dict[str, str] = {}
    called = _called(graph, ring)
    for number, step in enumerate(ring):
        subject = wording.label(graph.nodes.get(step.waiter)) if number == 0 else "which"
        part = f"{subject} {wording.waits_for(graph, step.waiter, step.resource)}"
        thing = wording.label(graph.nodes.get(step.resource))
        if told.setdefault(thing, step.resource) != step.resource:  # two of one name: they are not the same
            part = part.replace(f" {thing}", f" another {thing}", 1)
        if step.holder is not None and step.holder != step.resource:
            owner = "itself" if len(ring) == 1 else called[step.holder]
            part += f", {_had(graph, step.resource, step.holder, owner)}"
        parts.append(part)
    return ", ".join(parts)


def _called(graph: WaitIndex, ring: list[EvidenceStep]) -> dict[str, str]:
    """What each who has something is called in the sentence: of several of one name, as main threads are, the one it
    begins with is the first."""
    who = list(dict.fromkeys(one for step in ring for one in (step.waiter, step.holder) if one is not None))
    names = {one: wording.label(graph.nodes.get(one)) for one in who}
    alike = {name for name, number in Counter(names.values()).items() if number > 1}
    first = {name: one for one, name in reversed(names.items())}
    return {
        one: name if name not in alike else f"the first {name}" if first[name] == one else f"another {name}"
        for one, name in names.items()
    }


def _had(graph: WaitIndex, resource: str, holder: str, owner: str) -> str:
    if _is_ender(graph, resource, holder):
        only = "only " if set(graph.enders[resource]) <= {holder, *graph.waiters.get(resource, ())} else ""
        return f"which {only}{owner} could {wording.ends(graph, resource).removesuffix(' it')}"
    match graph.nodes[resource].kind:
        case NodeKind.TX:
            return f"which only {owner} can drain"
        case NodeKind.IO:
            return f"whose other end {owner} has"
        case NodeKind.FUTURE:
            if graph.held_by(resource, holder):
                return f"to be completed by {owner}"
            at_work = wording.is_worker_process(graph, resource, holder)
            return f"in the hands of {owner}" if at_work else f"queued behind {owner}"
        case NodeKind.REQUEST | NodeKind.RESPONSE:
            return f"handled by {owner}{wording.in_service(graph.nodes[resource])}"
        case _:
            return f"held by {owner}"


def _is_ender(graph: WaitIndex, resource: str, holder: str) -> bool:
    """Whether it does not hold the thing, but by the heap would have to end the wait for it."""
    return holder in graph.enders.get(resource, ()) and holder not in graph.holders.get(resource, ())


def break_first(graph: WaitIndex, links: list[EvidenceStep]) -> Break:
    """The member that has held its part of the ring for the shortest time: the least work is lost. Of equals a task: a
    thread cannot be cancelled. Not one that waits in a library, where there are others."""
    held = [step for step in links if step.hold_since_ns is not None and graph.nodes[step.resource].kind in _LOCKS]
    if len(held) >= 2:
        last = max(
            held,
            key=lambda s: (graph.nodes[s.holder or ""].kind is NodeKind.TASK, s.hold_since_ns or 0, s.resource),
        )
        name, thing = wording.label(graph.nodes.get(last.holder or "")), wording.label(graph.nodes.get(last.resource))
        own = next((step for step in links if step.waiter == last.holder), links[0])
        text = f"{name}: it took {thing} last{wording.at('at', last.hold_source or '')}"
        return Break(text, own.wait_source or place(graph.nodes[own.waiter]))
    waiting = [step for step in links if step.resource != graph.thread_of(step.waiter)] or links
    waiting = [step for step in waiting if own_line.is_line(step.wait_source)] or waiting  # not where a library waits
    if any(graph.nodes[step.resource].kind is NodeKind.IO for step in links):  # not who only listens
        waiting = [step for step in waiting if graph.nodes[step.resource].kind is NodeKind.FUTURE] or waiting
    last = max(waiting, key=lambda s: (graph.nodes[s.waiter].kind is NodeKind.TASK, s.since_ns, s.waiter))
    text = ""
    if len(links) > 1 and graph.nodes[last.waiter].kind is NodeKind.TASK:
        text = (
            f"{wording.label(graph.nodes.get(last.waiter))}: it began to wait last{wording.at('at', last.wait_source)}"
        )
    blocking = [step for step in links if graph.nodes[step.waiter].kind is NodeKind.THREAD]
    chosen = blocking[0] if blocking else last
    opened = next((step for step in (chosen, last) if own_line.line_of(step.wait_source)), chosen)
    return Break(text, opened.wait_source or place(graph.nodes[opened.waiter]))


def advice(graph: WaitIndex, links: list[EvidenceStep], kind: FindingKind) -> str:
    if kind is FindingKind.CHANNEL_FULL:
        return "Take from the channel in a task of its own, or await the producer only after draining it."
    threads = [step for step in links if graph.nodes[step.waiter].kind is NodeKind.THREAD]
    on_loop = next((step for step in links if step.resource == graph.thread_of(step.waiter)), None)
    if on_loop is not None:
        line = next((step.wait_source for step in threads if step.waiter == on_loop.resource), "")
        return _beside_the_loop(graph, on_loop.waiter, line)
    if any(semconv.IO_IS_UNACCEPTED in graph.nodes[step.resource].attributes for step in links):
        return (
            "A server whose only thread calls and waits cannot accept the call that comes back to it: give it more "
            "threads or workers, or do not call it from what it waits for. A timeout only turns the wait into an error."
        )
    if any(graph.nodes[step.resource].kind is NodeKind.IO for step in links):
        return _over_connections(graph, links)
    queued = [step for step in links if step.holder is not None and _is_queued(graph, step)]
    if queued:
        pool = wording.label(graph.nodes.get(_pool(graph, queued[0].resource) or ""))
        return (
            f"Work in {pool} waits for other work that is queued in it. Give the inner work a pool of its own, or do "
            "not wait for it inside the pool. More workers only put it off."
        )
    if len(links) == 1 and links[0].resource != links[0].holder:
        return _for_oneself(graph, links[0], bool(threads))
    locks = [step for step in links if graph.nodes[step.resource].kind in _LOCKS]
    calls = [step for step in links if graph.nodes[step.resource].kind is NodeKind.REQUEST]
    if calls:
        held = f" while {wording.label(graph.nodes.get(locks[0].resource))} is held" if locks else ""
        return (
            f"Do not wait for {wording.label(graph.nodes.get(calls[0].resource))}{held}: its answer may need what its "
            "caller has. Give the calls a timeout: when one gives up, the ring is broken."
        )
    if len(locks) >= 2:
        names = sorted({wording.label(graph.nodes.get(step.resource)) for step in locks})
        order = f"Take {wording.several(names)} in the same order everywhere."
        if len(names) < 2:
            order = f"Never take {names[0]} while another one is held, unless always in one order."
        return order if threads else f"{order} Cancelling one of the tasks breaks the ring."
    if any(graph.nodes[step.resource].kind is NodeKind.CONDITION for step in links):
        return (
            "A notification that comes before somebody waits is lost: change what it tells of under the Condition's "
            "lock, and look at that under the same lock right before each `wait()` (`wait_for(predicate)`)."
        )
    if threads:
        return "No thread can be cancelled: give one of these waits a timeout, then start the program again."
    return "Only cancelling one of these tasks can release the ring."


def _over_connections(graph: WaitIndex, links: list[EvidenceStep]) -> str:
    """Where a connection or pipe is in the ring."""
    over = [graph.nodes[step.resource].kind is NodeKind.IO for step in links]
    lost = next((step for step in links if graph.nodes[step.resource].kind is NodeKind.FUTURE), None)
    if lost is not None and lost.holder is not None and _is_ender(graph, lost.resource, lost.holder):
        return (
            f"Nothing is on its way over the connection, and {wording.label(graph.nodes.get(lost.waiter))} still waits "
            f"for an answer: it was never sent, or {wording.label(graph.nodes.get(lost.holder))} has passed over it. "
            "Complete that wait in every branch, also with an error, and give it a timeout."
        )
    if all(semconv.IO_UNMOVED_SINCE not in graph.nodes[step.resource].attributes for step in links):
        return (
            "Each end reads and waits for the other to write: send what the other one waits for (the rest of the "
            "message, what is still in a buffer: `flush()`, its end: `close()`, `write_eof()`, `shutdown()`), or give "
            "the read a timeout."
        )
    both = "Both ends write, and neither reads" if all(over) else "Whoever should read waits for the writer"
    return f"{both}: read in a task or thread of its own, or while writing."


def _beside_the_loop(graph: WaitIndex, task: str, line: str) -> str:
    call = wording.short(line) if own_line.is_line(line) else "That call"
    instead = "Await it (asyncio.wrap_future), or make the blocking call in another thread (asyncio.to_thread)"
    if not wording.is_of_asyncio(graph, task):
        instead = f"Call what gives way instead, or {wording.IN_ANOTHER_THREAD}"
    return f"{call} blocks the thread of an event loop that must run for it to return. {instead}."


def _for_oneself(graph: WaitIndex, step: EvidenceStep, is_thread: bool) -> str:
    held = wording.label(graph.nodes.get(step.resource))
    if graph.nodes[step.resource].kind is not NodeKind.FUTURE:
        return f"{held} is not reentrant: its holder must not take it again before releasing it."
    if not is_thread:
        return f"Complete {held} before that wait, or somewhere else: who waits for it is the one who would."
    call = wording.short(step.wait_source) if own_line.is_line(step.wait_source) else "That call"
    kind = graph.nodes[step.resource].attributes.get(semconv.RESOURCE_TYPE)
    if isinstance(kind, str) and kind.startswith(_OF_POOLS):
        return (
            f"{call} blocks the thread by which all results of the pool come. A callback may start the next work, but "
            "must not wait for it: whoever waits for the first result waits for that too."
        )
    return (
        f"{call} blocks the thread that {held} would be completed by. Await it (asyncio.wrap_future), or wait for it "
        "in another thread (asyncio.to_thread)."
    )


def _is_queued(graph: WaitIndex, step: EvidenceStep) -> bool:
    """Whether what is waited for has yet to be run by an executor."""
    return (
        graph.nodes[step.resource].kind is NodeKind.FUTURE
        and step.holder is not None
        and graph.held_by(step.resource, step.holder) is None
        and not wording.is_worker_process(graph, step.resource, step.holder)
        and _pool(graph, step.resource) is not None
    )


def _pool(graph: WaitIndex, future: str) -> str | None:
    known = (graph.nodes.get(one) for one in graph.holders.get(future, ()))
    return next((one.id for one in known if one is not None and one.kind is NodeKind.EXECUTOR), None)

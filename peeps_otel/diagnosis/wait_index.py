# SPDX-License-Identifier: Apache-2.0
"""From nodes and links to conditions: who waits for how many of whom, at a given strictness.

What is left of them in `reduction.py` is stuck; `diagnoser.py` calls it PROVEN once `wait_history.py` has seen nobody
of it move between two looks. Two rules conclude without it, each from one thing that cannot change any more:
`held_at_fork` (the holder does not exist here) and `leak` (nothing reaches what is waited for).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from .. import semconv
from ..model import Level, Node, NodeKind, Providers
from ..model.operations import operation
from ..model.untracked import untracked
from .closure import closure
from .reduction import Requirement
from .wait_links import IDLE, WAITERS, WaitLinks

# What only the program itself ends. Everything else (sockets, timers, commands) may be ended from outside at any moment
# and counts as live however long it takes.
_OWN = frozenset({NodeKind.EVENT, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.RX})

# One of their holders must come live before somebody who waits for them can go on.
_HELD = frozenset({NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.FUTURE, NodeKind.EXECUTOR})

# What is left of a channel or connection when those who wait for it are left out.
_BY_WAITERS = frozenset({NodeKind.TX, NodeKind.IO})

# With open providers these are as good as live: anybody may complete a future, a pool may start another worker.
_ANYBODY = frozenset({NodeKind.FUTURE, NodeKind.EXECUTOR})


WHOEVER_CALLS = "whoever calls what "
"""How what is outside begins (`COULD_END_OUTSIDE`) where it is a function that somebody may call."""


class OfResource(NamedTuple):
    """The condition of a resource. `when_old`: only once its oldest wait is old; younger, it is live."""

    condition: Requirement
    when_old: bool = False


_ONCE_OLD = OfResource(Requirement(1, ()), when_old=True)


class WaitIndex(WaitLinks):
    """Links with the conditions that follow from them."""

    def conditions(
        self, level: Level, now_ns: int, old_ns: int, within: Set[str] | None = None, deadlines: bool = True
    ) -> dict[str, Requirement]:
        """The nodes that are not live by themselves, as seen at `level`.

        PROVEN: only closed sets of providers can be exhausted. LIKELY: estimated ones too, and a full channel once all
        who have it in their hands are stuck. SUSPECT: also what only this program can end and has not for `old_ns`.
        A node that is not in the graph, a waiter that has advanced, and a wait with a deadline are live, but for the
        tasks of a loop whose thread is stuck: no timer of theirs fires before it comes back. `within`: all others are
        live. `deadlines`: False asks who would be stuck if no wait had one.
        """
        found: dict[str, Requirement] = {}
        thread_of: dict[str, str] = {}
        for thread in self.stuck_threads(deadlines):
            thread_of.update(dict.fromkeys(self.tasks_of(thread), thread))
        nodes = self.nodes
        live: set[str] = set()  # resources without a condition: many may wait for one
        for waiter in self.settled if within is None else within:
            self.pause()
            node = nodes.get(waiter)
            condition = None if node is None else self.of_waiter(node, level, thread_of.get(waiter), deadlines)
            if condition is None:
                continue
            found[waiter] = condition
            work: Sequence[str] = condition.providers
            while work:
                further: list[str] = []
                for target in work:
                    resource = None if target in found or target in live else nodes.get(target)
                    if resource is None or resource.kind in WAITERS or (within is not None and target not in within):
                        continue
                    needed = self._resource(resource, level, now_ns, old_ns)
                    if needed is not None:
                        found[target] = needed
                        further += needed.providers
                    else:
                        live.add(target)
                work = further
        for task, thread in thread_of.items():
            if task not in found and (within is None or task in within):
                found[task] = Requirement(0, (), thread)
        return found

    def of_waiter(self, node: Node, level: Level, thread: str | None, deadlines: bool = True) -> Requirement | None:
        """The condition of a task or thread; None where it is live. `thread`: that of its loop, if it is stuck.
        `deadlines`: False takes timers for none."""
        waiter, wait = node.id, node.wait
        targets = self.targets.get(waiter)
        if targets is None or waiter not in self.settled or wait is None or (deadlines and waiter in self.bounded):
            return None if thread is None else Requirement(0, (), thread)
        if node.state == IDLE:
            return None if thread is None else Requirement(0, (), thread)
        known = operation(wait.operation)
        if level is Level.PROVEN and known.may_be_interrupted:
            return None if thread is None else Requirement(0, (), thread)
        # One live child is enough to doubt.
        early = level is Level.PROVEN and known.ends_early
        return untracked(Requirement(1 if early else wait.needs, targets, thread))

    def _resource(self, resource: Node, level: Level, now_ns: int, old_ns: int) -> Requirement | None:
        found = self.of_resource(resource, level)
        if found is None:
            return None
        # One that nobody waits for himself, but who waits for another thing: his wait has an age of its own.
        if found.when_old and self.oldest_waiter(resource.id) and now_ns - self.oldest_wait(resource.id) < old_ns:
            return None
        return found.condition

    def of_resource(self, resource: Node, level: Level) -> OfResource | None:
        """The condition of what is waited for, whatever the time; None where it is live."""
        closed = resource.providers is Providers.CLOSED
        if not closed and self._ends_from_outside(resource, level):
            return None
        if not closed and semconv.COULD_END_ASKED in resource.attributes:
            return self._by_heap(resource, level)
        if semconv.POOL_IN_USE in resource.attributes:
            return self._of_pool(resource, level)
        if resource.kind in _HELD:
            return self._of_held(resource, level, closed)
        if resource.kind in (NodeKind.REQUEST, NodeKind.RESPONSE):
            answers = self.answers.get(resource.id, [])
            sure = closed or level is not Level.PROVEN
            return OfResource(Requirement(1, answers)) if answers and sure else None
        if resource.kind is NodeKind.IO:
            return None if level is Level.PROVEN else self._by_flow(resource)
        if resource.kind in _OWN and closed:
            return OfResource(Requirement(1, self.holders.get(resource.id, [])))
        if level is Level.PROVEN:
            return None
        if resource.kind is NodeKind.TX:
            return self._of_channel(resource, level)
        if level is Level.SUSPECT and resource.kind in _OWN:
            return _ONCE_OLD
        return None

    def depends_on_waiter(self, resource: str, waiter: str) -> bool:
        """Whether `of_resource` may say something else of it for this one waiting for it or not."""
        node = self.nodes.get(resource)
        if node is None or node.kind in WAITERS:
            return False
        if node.kind in _BY_WAITERS or semconv.COULD_END_ASKED in node.attributes:
            return True
        return waiter in self.holders.get(resource, ()) or waiter in self.bare.get(resource, ())

    def _of_held(self, resource: Node, level: Level, closed: bool) -> OfResource | None:
        """One of those who have it must come live."""
        holders = self.holders.get(resource.id, [])
        if closed:
            if resource.kind is not NodeKind.FUTURE and self._was_handed_over(resource.id, holders):
                return None
            # Closed and nobody there: the reference is gone, nobody can end it any more. A lock without a holder
            # is free.
            return (
                OfResource(untracked(Requirement(1, holders))) if holders or resource.kind is NodeKind.FUTURE else None
            )
        if level is Level.SUSPECT and not holders and _is_taken(resource):
            return _ONCE_OLD
        if level is Level.LIKELY and self.is_taken_twice(resource.id):
            return None
        if level is Level.PROVEN or (resource.providers is Providers.OPEN and resource.kind in _ANYBODY):
            return None
        return OfResource(untracked(Requirement(1, holders))) if holders else None

    def _of_channel(self, channel: Node, level: Level) -> OfResource | None:
        """A full one: one of those who have it in their hands must come live."""
        if _has_room(channel):
            return None
        waiting = set(self.waiters.get(channel.id, ()))
        takers = [user for user in self.users.get(channel.id, ()) if user not in waiting]
        return OfResource(Requirement(1, takers)) if takers or level is Level.SUSPECT else None

    def _by_flow(self, resource: Node) -> OfResource | None:
        """A connection at which nothing moves, and whose other end is in the hands of tasks or threads of ours."""
        if semconv.IO_UNMOVED_SINCE not in resource.attributes:
            return None
        waiting = set(self.waiters.get(resource.id, ()))
        readers = [user for user in self.users.get(resource.id, ()) if user not in waiting]
        return OfResource(Requirement(1, readers)) if readers else None

    def _of_pool(self, pool: Node, level: Level) -> OfResource | None:
        """Where somebody has what it lent who is not known, or something is left, it is live."""
        holders = self.holders.get(pool.id, [])
        closed = pool.providers is Providers.CLOSED
        if pool.providers is Providers.OPEN or pool.attributes.get(semconv.SEMAPHORE_AVAILABLE) or not holders:
            return None
        return OfResource(Requirement(1, holders)) if closed or level is not Level.PROVEN else None

    def _by_heap(self, resource: Node, level: Level) -> OfResource | None:
        """Where the heap was asked who could end a wait for it.

        PROVEN: only where nothing that can run reaches what any of its waiters waits for. LIKELY: all who have it are
        counted, whatever their code does; of a lock whose holder is known, those whose remaining code may release it.
        SUSPECT: those whose remaining code may end the wait, once it is old.
        """
        about = resource.attributes
        if level is Level.PROVEN and not self._is_lost(resource.id):
            return None
        waiting = set(self.waiters.get(resource.id, ())) - self._takes_again(resource)
        able = [*self.holders.get(resource.id, ()), *self.enders.get(resource.id, ())]
        if level is Level.SUSPECT:
            return OfResource(Requirement(1, [one for one in able if one not in waiting]), when_old=True)
        if level is Level.LIKELY and self._comes_back(resource):
            return OfResource(Requirement(1, [one for one in able if one not in waiting]))
        if level is Level.LIKELY and semconv.COULD_END_OPEN in about:
            return None
        able += [*self.reached.get(resource.id, ()), *self.users.get(resource.id, ())]
        return OfResource(Requirement(1, list(dict.fromkeys(one for one in able if one not in waiting))))

    def onward(self, first: Iterable[str], level: Level) -> set[str]:
        """Those, and all that their waits lead to, as seen at `level`, whatever the time."""

        def leads_to(node_id: str) -> Iterable[str]:
            node = self.nodes.get(node_id)
            if node is None:
                return ()
            if node.kind in WAITERS:
                home = self.thread_of(node_id)
                return [*self.targets.get(node_id, ()), *(() if home is None else (home,))]
            condition = self.of_resource(node, level)
            return () if condition is None else condition.condition.providers

        return closure(first, leads_to, self.pause)

    def as_told(self, conditions: dict[str, Requirement], stuck: Set[str]) -> dict[str, Requirement]:
        """The same, with only those as providers of a thing who by the heap would have to end a wait for it: that the
        others who have it are stuck as well has been seen, and is no part of the story."""
        told = dict(conditions)
        for resource in self.asked_of_heap(stuck):
            waiting = set(self.waiters.get(resource, ())) - self._takes_again(self.nodes[resource])
            able = [*self.holders.get(resource, ()), *self.enders.get(resource, ())]
            if semconv.DATABASE_SESSION in self.nodes[resource].attributes:
                # A pool's connections can be come to from everywhere: whoever waits for the session has another one.
                waiting |= {one for lock in self.held_of(resource) for one in self.waiters.get(lock, ())}
                others = [one for one in (*able, *self.reached.get(resource, ())) if one not in waiting]
                able = others or able
                waiting -= set(able)
            told[resource] = Requirement(1, list(dict.fromkeys(one for one in able if one not in waiting)))
        return told

    def asked_of_heap(self, members: Iterable[str]) -> set[str]:
        """The things among them of which the heap was asked who could end a wait for them."""
        found: set[str] = set()
        for one in members:
            node = self.nodes.get(one)
            if node is None or node.providers is Providers.CLOSED:
                continue
            if semconv.COULD_END_ASKED in node.attributes:
                found.add(one)
        return found

    def _is_lost(self, resource: str) -> bool:
        """Whether the heap has proven of all who wait for it that nothing which can run reaches what they wait for."""
        waiting = [self.nodes[one] for one in self.waiters.get(resource, ()) if one in self.nodes]
        return bool(waiting) and all(one.attributes.get(semconv.WAIT_LOST) is True for one in waiting)

    def _ends_from_outside(self, resource: Node, level: Level) -> bool:
        """Whether somebody who waits for nobody here may end a wait for it."""
        outside = resource.attributes.get(semconv.COULD_END_OUTSIDE)
        if outside is None:
            return False
        only_if_called = str(outside).startswith(WHOEVER_CALLS) and semconv.COULD_END_ASKED in resource.attributes
        return level is Level.PROVEN or not only_if_called or not self._comes_back(resource)

    def _comes_back(self, resource: Node) -> bool:
        """Whether it is a lock whose holder is known: it comes back by him. That the program has functions which
        release it if somebody calls them is how locks are used."""
        is_held = resource.kind is NodeKind.LOCK and bool(self.holders.get(resource.id))
        return is_held and not self.is_taken_twice(resource.id)

    def _takes_again(self, resource: Node) -> set[str]:
        """Who waits for a lock in whose block he is: that he would have to end his own wait is the whole story."""
        if not self._comes_back(resource):
            return set()
        both = set(self.holders[resource.id]).intersection(self.waiters.get(resource.id, ()))
        return set() if self._was_handed_over(resource.id, list(both)) else both

    def _was_handed_over(self, resource: str, holders: Sequence[str]) -> bool:
        """Whether a holder waits for it himself and no stack shows how he took it: the lock alone says that he has it.
        Such a lock is never waited for by its owner, so he was given it in the middle of this look, and goes on."""
        both = set(holders).intersection(self.waiters.get(resource, ()))
        holds = [self.held_by(resource, one) for one in both]
        return any(one is not None and not one.source and not one.bare for one in holds)

    def is_taken_twice(self, resource: str) -> bool:
        """Whether one who took it by a bare `acquire()` waits for it himself: then it is a signal, or handed over, or a
        mistake, but no lock that comes free when its holder goes on."""
        bare = self.bare.get(resource)
        return bare is not None and not set(bare).isdisjoint(self.waiters.get(resource, ()))


def _is_taken(resource: Node) -> bool:
    """Whether somebody has it although nobody is known to: who took it may have ended without giving it back."""
    if resource.kind is NodeKind.LOCK:
        return resource.attributes.get(semconv.LOCK_LOCKED) is True
    return resource.kind is NodeKind.SEMAPHORE and resource.attributes.get(semconv.SEMAPHORE_AVAILABLE) == 0


def _has_room(channel: Node) -> bool:
    length = channel.attributes.get(semconv.CHANNEL_LENGTH)
    capacity = channel.attributes.get(semconv.CHANNEL_CAPACITY)
    return type(length) is int and type(capacity) is int and length < capacity

# SPDX-License-Identifier: Apache-2.0
"""The things that tasks and threads wait for and hold, as nodes: locks, semaphores, events, queues, connections, pools.

One registry for both: a lock that a task holds and a thread waits for is one node.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, cast
from weakref import ref

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, NodeKind, Providers, own_line
from ..model.untracked import untracked
from .ends import Ends
from .flows import Flows
from .identity import Identities, NodeIds
from .inherited import Inherited
from .internals.file_locks import FileLock
from .internals.managed import of_the_program
from .kept import Keeper
from .kin import Kin
from .library_registry import LibraryRegistry
from .probe import Observation, Yield
from .resource_nodes import MadeOf, ResourceRecord, keep_channel, keep_only_node, since_first_seen
from .resource_types import Around, Held, ResourceType, State
from .unique_names import UniqueNames

_YIELD_EVERY = 50
_TOLD_APART = frozenset(
    {NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.TX}
)  # an event is often one of very many, made for one request
_SETTLED_MARKS = frozenset({semconv.IO_UNMOVED_SINCE, semconv.IO_HERE})
"""Attributes of a connection that come and go with those who wait for it."""
_NAMES_MOST = 200  # characters
_NOTHING: dict[str, AttributeValue] = {}  # never written to
_ALL_MOST = 256
_TURNS, _TURNS_MOST = 8, 32
_AT_ONE_LOOK = 128
"""Of more things than that, those of whose state nobody's step tells that it has changed are described every so many
looks: eight, or as many as it takes at about 128 a look, 32 at most."""
_OWNED_MOST = 64


def _nobody(_who: Any) -> str | None:
    return None


class Resources:
    """The things that somebody waits for or holds, or did. For the watcher thread only.

    `task_id`, `task_at`, `thread_id`, `sure`: as in `Around`; set by the probes that know.
    """

    def __init__(self, ids: NodeIds, libraries: LibraryRegistry, inherited: Inherited | None = None) -> None:
        self._ids = ids
        self._inherited = inherited
        self._libraries = libraries
        self._known: Identities[ResourceRecord] = Identities()
        self._names = UniqueNames()
        self.task_id: Callable[[Any], str | None] = _nobody
        self.task_at: Callable[[int], str | None] = _nobody
        self.thread_id: Callable[[int], str | None] = _nobody
        self.sure = True
        self.flows = Flows(Ends(ids))
        self.kin = Kin(inherited is not None)
        self._held: dict[int, list[Held]] = {}
        self._used: dict[int, ref[Any]] = {}
        self._waited: set[int] = set()
        self._plain: dict[int, dict[str, AttributeValue]] = {}  # by the address of a type that the registry keeps
        self._quiet: dict[str, ResourceRecord] = {}
        self._owned: dict[str, set[str]] = {}
        self._keeper = Keeper()
        self._looks = 0
        self._lent: dict[int, tuple[ref[Any], ref[Any]]] = {}
        self.pools_wanted = False
        """Whether somebody waited for a pool at the last look: it is worth finding out who has what it lent."""

    def begin(self) -> None:
        """A new look: who holds and waits for what is told anew."""
        self._held = {}
        self._used = {}
        self._waited = set()

    def hold(self, reference: ref[Any], held: Held) -> None:
        """Somebody has a thing whose record was made."""
        thing = reference()
        if thing is not None:
            self._held.setdefault(id(thing), []).append(held)
            self._used[id(thing)] = reference

    def hold_on(self, thing: Any, held: Held) -> None:
        """A task has a thing whose record was made, until `let_go`."""
        known = self._known.get(thing)
        if known is not None:
            if known.on_stacks is None:
                known.on_stacks = {}
            known.on_stacks[held.holder_id] = untracked((*known.on_stacks.get(held.holder_id, ()), untracked(held)))
            untracked(known.on_stacks)
            known.is_due = True

    def let_go(self, thing: Any, holder_id: str) -> None:
        """The task may have gone on: what `hold_on` told of it holds no more."""
        known = self._known.get(thing)
        if known is not None and known.on_stacks is not None and known.on_stacks.pop(holder_id, None) is not None:
            known.on_stacks = known.on_stacks or None
            known.is_due = True

    def touch(self, node_id: str) -> None:
        """Somebody who waits for this, or did, has made a step."""
        known = self._quiet.get(node_id)
        if known is not None:
            known.is_due = True

    def owner_ended(self, holder_id: str) -> None:
        """A task has ended that may be written down as an owner."""
        for node_id in self._owned.pop(holder_id, ()):
            self.touch(node_id)

    def use(self, reference: ref[Any]) -> None:
        """Somebody waits for a thing whose record was made."""
        thing = reference()
        if thing is not None:
            self._used[id(thing)] = reference
            self._waited.add(id(thing))

    def pool_of(self, thing: int) -> ref[Any] | None:
        """The pool that had lent the thing at this address at the last look, if it told."""
        known = self._lent.get(thing)
        return None if known is None or known[0]() is None else known[1]

    def record(self, thing: Any, now_ns: int, guess: Callable[[], tuple[str, str]]) -> ResourceRecord | None:
        """The record of a thing, made at first sight; None for a type that is not a resource.

        `guess` gives name and `path:line` from the place of use, for one whose creation was not recorded.
        """
        known = self._known.get(thing)
        if known is not None:
            if not known.is_named:  # another use may tell what it is called
                known.uses_read += 1
                self._name(known, guess()[0])
            return known
        kind = cast("type[object]", type(thing))
        found = self._libraries.resource_type_for(thing)
        if found is None:
            return None
        attributes: dict[str, AttributeValue] = {semconv.RESOURCE_TYPE: _type_name(found, kind)}
        if kind is found.cls:  # one for all of a type
            attributes = self._plain.setdefault(id(kind), attributes)
        name, source = "", ""
        if found.static_attributes is not None:
            name, more = found.static_attributes(thing)
            attributes = attributes | more
        made = None if found.made is None else found.made(thing)
        if made is not None:
            name, source = made.name, made.source
        if not name or not source:
            guessed = guess()
            name, source = name or guessed[0], source or guessed[1]
        created = now_ns if made is None else made.time_ns
        record = ResourceRecord(
            type=found,
            ids=untracked(tuple([self._ids.new(kind, created) for kind in found.kinds])),
            name="",
            source=source or own_line.UNKNOWN,
            created_ns=created,
            confidence=Confidence.INFERRED if made is None else Confidence.EXACT,
            initial=None if made is None else made.initial,
            attributes=attributes,
        )
        if not self._known.put(thing, record):
            return None
        if record.is_quiet:
            self._quiet.update(dict.fromkeys(record.ids, record))
        self._name(record, name[:_NAMES_MOST])
        return record

    def _name(self, record: ResourceRecord, name: str) -> None:
        kind = record.type.kinds[0]
        # Of what comes and goes as it is used, a number would come and go too.
        if kind in _TOLD_APART and record.type.static_attributes is None and not record.type.while_used:
            record.name, record.number = self._names.take(kind, name)
        else:
            record.name = name

    def known(self, thing: Any) -> ResourceRecord | None:
        return self._known.get(thing)

    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        """The objects of the program behind these nodes that live. Let go of them at once."""
        return {
            node_id: found
            for thing, record in self._known.alive()
            for node_id in record.ids
            if node_id in wanted and (found := of_the_program(thing)) is not None and type(found) is not FileLock
        }

    def __len__(self) -> int:
        return len(self._known)

    def full_channels(self) -> dict[int, str]:
        """The `tx` node of each channel that somebody waits to put into, by the address of the channel."""
        found: dict[int, str] = {}
        for reference, record in self._known.records():
            tx, thing = record.node_id(NodeKind.TX), reference()
            if tx is None or thing is None or record.type.read_state is None:
                continue
            try:
                channel = record.type.read_state(thing, self._around(record, self._on_stacks(thing, record))).channel
            except Exception:  # `show` says it
                continue
            if channel is not None and channel.putters:
                found[id(thing)] = tx
        return found

    def far_ends(self, now_ns: int) -> dict[int, str]:
        """See `Flows.far_ends`."""
        return self.flows.far_ends(now_ns, lambda: [t for t, r in self._known.alive() if NodeKind.IO in r.type.kinds])

    def show(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """Brings the nodes and edges of the resources up to date and adds them, after all probes have told who holds
        and waits for what. What could not be read is said in the coverage."""
        show_all = self._keeper.is_new(observation)
        for gone in self._known.forget_dead():
            for node_id in gone.ids:
                if self._quiet.pop(node_id, None) is not None:
                    self._keeper.hide(node_id)
            self._names.give_back(gone.type.kinds[0], gone.name, gone.number)
        for pool in self._libraries.living_pools():
            self.record(pool, now_ns, lambda: ("", ""))
        self.flows.ends.look(observation, now_ns)
        self.flows.look(now_ns)
        self.kin.note(now_ns)
        self._lent, self.pools_wanted = {}, False
        failed: dict[str, int] = {}
        self._looks += 1
        many = len(self._known)
        turns = min(max(_TURNS, many // _AT_ONE_LOOK), _TURNS_MOST) if many > _ALL_MOST else 1
        described = 0
        for number, (reference, record) in enumerate(self._known.records()):
            if record.is_due or (number + self._looks) % turns == 0 or not record.is_quiet:
                if described % _YIELD_EVERY == 0:
                    pause()
                described += 1
                self._show_one(observation, reference, record, now_ns, failed)
            elif show_all:
                self._show_nodes(observation, record)
        self.flows.ends.show(observation, self.thread_id)
        observation.coverage += [f"{count} resources could not be read: {name}" for name, count in failed.items()]

    def _show_one(
        self,
        observation: Observation,
        reference: ref[Any],
        record: ResourceRecord,
        now_ns: int,
        failed: dict[str, int],
    ) -> None:
        thing = reference()
        if thing is None or (record.type.while_used and not self._is_used(thing, record)):
            return
        try:
            self._describe(thing, record, now_ns)
        except Exception as error:
            record.is_due = True
            failed[type(error).__name__] = failed.get(type(error).__name__, 0) + 1
        self._show_nodes(observation, record)

    def _show_nodes(self, observation: Observation, record: ResourceRecord) -> None:
        edges = record.edges
        for node in record.nodes:
            if record.is_quiet:
                self._keeper.show(observation, node, edges)
            else:
                observation.nodes[node.id], observation.edges[node.id] = node, edges
            edges = ()

    def forget(self) -> None:
        """A look has failed in the middle: the next one shows everything."""
        for node_id in self._quiet:
            self._keeper.hide(node_id)
        self._keeper.forget()

    def _is_used(self, thing: Any, record: ResourceRecord) -> bool:
        return id(thing) in self._used or record.on_stacks is not None

    def _describe(self, thing: Any, record: ResourceRecord, now_ns: int) -> None:
        if record.type.read_state is None:
            still = self.flows.of(thing, now_ns)
            if not record.nodes or still or not _SETTLED_MARKS.isdisjoint(record.nodes[0].attributes):
                keep_only_node(record, State(still))
                self._show_accepter(thing, record)
            return
        beside = self.flows.of(thing, now_ns)
        on_stacks = self._on_stacks(thing, record)
        beside |= self.kin.of(cast("type[object]", type(thing)), record.created_ns, thing, bool(on_stacks))
        made_of = self._made_of(thing, record, on_stacks, beside)
        record.is_due = made_of is None
        if made_of is not None and _is_as_before(record.described, made_of):
            return
        record.described = made_of
        state = record.type.read_state(thing, self._around(record, on_stacks))
        state.attributes |= beside
        if made_of is not None and made_of[3] is not None and not state.holders:
            record.described, record.is_due = None, True  # a holder who is not known yet: to be asked again
        if self._inherited is not None:
            said = self._inherited.not_its_owner(thing, state.holders) if state.holders else {}
            if said:
                state.holders, state.providers = [], Providers.OPEN
                state.attributes |= said
            elif state.holders:
                self._inherited.let_go(thing)
            else:
                state.attributes |= self._inherited.of_lock(thing, self.thread_id)
        if semconv.POOL_IN_USE in state.attributes or record.type.is_pool:
            self._note_pool(thing, state)
        elif record.type.by_handle and id(thing) in self._waited:
            self.pools_wanted = True
        if state.channel is not None:
            keep_channel(record, state, state.channel)
            return
        keep_only_node(record, state)
        (node_id,) = record.ids
        self._note_owners(node_id, state.holders)
        edges = tuple(_held_by(node_id, held) for held in since_first_seen(record, state.holders, now_ns))
        _keep_edges(record, edges)

    def _show_accepter(self, connection: Any, record: ResourceRecord) -> None:
        """Who of this process would first have to accept the other end of a connection."""
        ident = self.flows.ends.accepter(connection)
        thread = None if ident is None else self.thread_id(ident)
        (node_id,) = record.ids
        edges = () if thread is None else (Edge(EdgeKind.COULD_END, node_id, thread, confidence=Confidence.INFERRED),)
        _keep_edges(record, edges)

    def _note_pool(self, pool: Any, state: State) -> None:
        waiters = state.attributes.get(semconv.RESOURCE_WAITERS)
        if waiters or (waiters is None and not state.attributes.get(semconv.SEMAPHORE_AVAILABLE)):
            self.pools_wanted = True
            self._lent.update({id(thing): (_reference(thing), ref(pool)) for thing in state.lent})

    def _note_owners(self, node_id: str, holders: list[Held]) -> None:
        """Who is written down in the thing itself: his end is no step of anybody who waits for it."""
        if node_id not in self._quiet:
            return
        for held in holders:
            if held.bare:
                owned = self._owned.setdefault(held.holder_id, set())
                owned.add(node_id)
                if len(owned) % _OWNED_MOST == 0:
                    owned -= {one for one in owned if one not in self._quiet}

    def _made_of(
        self, thing: Any, record: ResourceRecord, on_stacks: tuple[Held, ...], beside: dict[str, AttributeValue]
    ) -> MadeOf | None:
        """What tells whether a thing is as it was. None: it must be read. Read before the thing itself: what changes in
        between is read at the next look."""
        if record.type.fingerprint is None or self._inherited is not None:
            return None
        fingerprint = record.type.fingerprint(thing)
        if fingerprint is None:
            return None
        made_of = (record.name, on_stacks, fingerprint.numbers, fingerprint.owner, beside or _NOTHING)
        return untracked(made_of) if fingerprint.owner is None else made_of

    def _on_stacks(self, thing: Any, record: ResourceRecord) -> tuple[Held, ...]:
        """Who is seen to hold it in this look: threads, and the tasks that were seen to before and have made no step
        since."""
        held = self._held.get(id(thing), ())
        if record.on_stacks is not None:
            return untracked((*held, *(one for some in record.on_stacks.values() for one in some)))
        return untracked(tuple(held)) if held else ()

    def _around(self, record: ResourceRecord, on_stacks: tuple[Held, ...]) -> Around:
        return Around(list(on_stacks), self.task_id, self.task_at, self.thread_id, record.initial, self.sure)


def _keep_edges(record: ResourceRecord, edges: tuple[Edge, ...]) -> None:
    """Keeps the tuple of unchanged ones: the snapshot tells changes by identity."""
    if record.edges != edges:
        record.edges = untracked(edges) if edges else edges


def _held_by(node_id: str, held: Held) -> Edge:
    source = held.source or None
    return untracked(
        Edge(EdgeKind.HELD_BY, node_id, held.holder_id, held.since_ns, source, held.confidence, bare=held.bare)
    )


def _reference(thing: object) -> ref[Any]:
    """One that takes no weak reference lives as long as the pool's own look is not over: good for one look."""
    try:
        return ref(thing)
    except TypeError:
        return ref(type(thing))


def _is_as_before(before: MadeOf | None, now: MadeOf) -> bool:
    if before is None:
        return False
    return before[3] is now[3] and before[2] == now[2] and before[:2] == now[:2] and before[4] == now[4]


def _type_name(known: ResourceType, kind: type[object]) -> str:
    """`asyncio.Lock` for `asyncio.locks.Lock`: packages show at the top what they hold within."""
    if callable(known.type_name):
        return known.type_name(kind)
    module = str(type.__dict__["__module__"].__get__(kind))
    return known.type_name or f"{module.partition('.')[0]}.{kind.__name__}"

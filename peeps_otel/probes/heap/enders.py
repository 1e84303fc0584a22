# SPDX-License-Identifier: Apache-2.0
"""Who could end a wait: from each thing that is waited for back over all references to everybody who may act.

Reaching it is not enough to be plausible: a task that gathers statistics may hold the same client. So each ender has a
strength, by what it has in its hands and by what its remaining code may call (`remaining_code`). The walk sees every
reference to the objects on the way, so one with more references than these is held by C code or by the value stack of a
running frame: by somebody unknown, who may always act. The heap must stand still.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import BuiltinMethodType, CellType, FunctionType, MethodType
from typing import Any, NamedTuple, cast

from ..internals.await_chain import SUSPENDED, frame_of
from ..internals.frame_memory import is_readable
from ..internals.heap import attribute
from ..internals.loop_handles import called_on, code_of
from ..source.ownership import is_standard_library
from . import loggers
from .actors import STOPPED, Actor, Actors, content
from .closure import leading_to
from .ender import FROM_OUTSIDE, LEFT_BEHIND, NO_THREAD_RUNS, NOT_FOUND, UNKNOWN, Ender, Key, Strength, Thing
from .libraries import Libraries
from .names import Names
from .picture import Picture
from .remaining_code import EXITS, Place, RemainingCode
from .uses import Known

_PER_THING_MOST = 5_000
_ENDERS_MOST = 64  # per thing
_FAINT = ("KeyedRef", "traceback")
_BOUND = (MethodType, BuiltinMethodType)
_COMMON = Key("unknown", "reached by more than can be followed")
_BLOCKED_STACK = Key("stack", "the value stack of a thread that is blocked")
_EXECUTOR = "._default_executor"  # a field of a loop
_RUNS = frozenset({"run_forever", "run_until_complete"})


class _Reference(NamedTuple):
    target: int
    faint: bool


@dataclass(slots=True)
class _Walk:
    """From one thing: where each object on the way was come from, and who was found."""

    thing: Thing
    came: dict[int, _Reference] = field(default_factory=dict[int, _Reference])
    found: dict[Key, tuple[bool, str]] = field(default_factory=dict[Key, tuple[bool, str]])
    armed: set[Key] = field(default_factory=set[Key])
    in_hand: set[int] = field(default_factory=set[int])  # on a way that leads through the method itself
    coded: set[Key] = field(default_factory=set[Key])
    in_code: set[int] = field(default_factory=set[int])  # on a way that leads through a function that may call it
    known: Known = None
    by_code: bool = True  # some function of the program does more with it than wait
    here: list[Key] = field(default_factory=list[Key])  # who was met at the object at hand

    def meet(self, key: Key, faint: bool, via: str) -> None:
        """Somebody who has the object at hand, also by a shorter way than this one."""
        self.found.setdefault(key, (faint, via))
        self.here.append(key)


class Enders:
    """`of` the things given. Holds objects of the program while it lives: for a copy of the process, or briefly."""

    def __init__(
        self,
        picture: Picture,
        actors: Actors,
        things: Sequence[Thing],
        is_program: Callable[[str], bool],
        pause: Callable[[], None],
        forked: bool = False,
    ) -> None:
        """`forked`: from a process whose other threads are not here, though what they had on their stacks is."""
        self._picture, self._actors = picture, actors
        self._forked = forked
        libraries = Libraries(sys.modules, actors.functions, is_standard_library)
        self._code = RemainingCode(actors.functions, is_program, libraries)
        self._code_of_waiters = {
            id(place.code) for actor in actors.by_key.values() if actor.waits for place in actor.places
        }
        self._alike: list[list[Actor]] = []  # those who stand at the same places
        self._number: dict[Key, int] = {}  # of an actor: where it is in that
        self._uses: dict[tuple[int, frozenset[str], Known], str] = {}
        self._sort(actors)
        asked = {address for thing in things for address in thing.addresses}
        stops = (actors.hidden, actors.at, actors.ground)
        self._into, self._weakly_into, self._position, self._cut = leading_to(picture, asked, stops, pause)
        self._entering = self._bound_on_stacks()
        names = Names(actors, self._into, self._at, self._code.is_followed, libraries.is_followed)
        self._known = {
            thing.addresses[0]: names.of(thing.addresses[0]) for thing in things if thing.addresses and thing.fd is None
        }
        self._code.prepare(frozenset(one.name for known in self._known.values() for one in known or ()))

    def _sort(self, actors: Actors) -> None:
        known: dict[tuple[tuple[int, int], ...], int] = {}
        for key, actor in actors.by_key.items():
            if actor.places:
                places = tuple((id(code), last) for code, last in actor.places)
                number = self._number[key] = known.setdefault(places, len(known))
                if number == len(self._alike):
                    self._alike.append([])
                self._alike[number].append(actor)

    def _at(self, address: int) -> object | None:
        place = self._position.get(address)
        return None if place is None else self._picture.objects[place]

    def _may_call(self, actor: Actor, names: frozenset[str], known: Known = None) -> str:
        """By which function it might come to use one of `names`: asked once of those who stand alike."""
        number = self._number.get(actor.key)
        if number is None:
            return ""
        use = self._uses.get((number, names, known))
        if use is None:
            use = self._uses[number, names, known] = self._code.may_call(actor.places, names, known=known)
        return use

    def of(self, thing: Thing) -> list[Ender]:
        """Strongest first. Empty: nobody at all reaches it."""
        if not self._is_there(thing):
            return [Ender(UNKNOWN, Strength.ARMED, "", NOT_FOUND)]
        walk = self._walk(thing)
        found = [
            self._judged(walk, key, faint, via)
            for key, (faint, via) in walk.found.items()
            if thing.fd is None or not self._is_its_reader(key, thing)
        ]
        found += self._users_of_ground(walk)
        found.sort(key=lambda one: -one.strength)
        return found[:_ENDERS_MOST]

    def is_nobodys_task(self, thing: Thing) -> bool:
        """Whether no function of the program was ever written that would end the wait, but for those that are in it."""
        if not thing.name:
            return False
        return not self._code.names_both(thing.name, thing.wakers, self._code_of_waiters)

    def _is_its_reader(self, key: Key, thing: Thing) -> bool:
        """Whether it is what an event loop calls when something has come at this very end: who asks about one knows
        that nothing is on its way there."""
        if key.kind != "io" or type(key.of) is not int:
            return False
        place = self._position.get(key.of, self._picture.positions({key.of}).get(key.of))
        return place is not None and id(called_on(self._picture.objects[place])) in thing.addresses

    def _is_there(self, thing: Thing) -> bool:
        if not thing.addresses:
            return False
        place = self._position.get(thing.addresses[0])
        if place is None:
            # Not tracked (a lock of `threading`): known by its references alone.
            return thing.addresses[0] in self._into
        return type(self._picture.objects[place]).__name__ == thing.type_name

    def _bound_on_stacks(self) -> dict[int, list[Key]]:
        """By address of what a method on a thread's value stack is bound to: the threads."""
        found: dict[int, list[Key]] = {}
        for word, key in self._actors.on_stacks:
            one = self._at(word)
            if issubclass(type(one), _BOUND):
                found.setdefault(id(attribute(one, "__self__")), []).append(key)
        return found

    # --- one thing ----------------------------------------------------------------------------------------------------

    def _walk(self, thing: Thing) -> _Walk:
        """Breadth first over what `_close` found; whatever is only faintly there comes last."""
        known = self._known.get(thing.addresses[0])
        walk = _Walk(thing, known=known, by_code=self._code.may_anybody(known, thing.wakers))
        walk.came.update((address, _Reference(0, False)) for address in thing.addresses)
        work: deque[int] = deque(thing.addresses)
        later: deque[int] = deque()
        while work or later:
            address = (work or later).popleft()
            if address in self._cut or len(walk.came) > _PER_THING_MOST:
                walk.found[_COMMON] = (False, "")
                break
            self._meet(walk, address, work, later)
        return walk

    def _meet(self, walk: _Walk, address: int, work: deque[int], later: deque[int]) -> None:
        target, faint = walk.came[address]
        if target in walk.in_hand or self._ends_it(walk.thing, address):
            walk.in_hand.add(address)
        if target in walk.in_code or self._may_end_it(walk, address):
            walk.in_code.add(address)
        before = len(walk.found)
        walk.here.clear()
        for key in self._actors.local.get(address, ()):
            walk.meet(key, faint, "a local variable")
        if (key := self._actors.started_with.get(address)) is not None:
            walk.meet(key, faint, "what the thread was started with")
        if self._has_more_references(address):
            key = self._who_has(address)
            what = self._type_name(address)
            walk.meet(key, faint, f"C code or the value stack of a running function has a {what}")
        for source in self._into.get(address, ()):
            if source not in walk.came:
                self._follow(walk, source, address, faint, work, later)
        met = walk.here if self._is_exit(address) else list(walk.found)[before:]
        if address in walk.in_hand:
            walk.armed.update(met)
        if address in walk.in_code:
            walk.coded.update(met)
        for source in self._weakly_into.get(address, ()):
            if source not in walk.came:
                shy = faint or source in self._actors.entries
                walk.came[source] = _Reference(address, shy)
                (later if shy else work).append(source)

    def _follow(self, walk: _Walk, source: int, address: int, faint: bool, work: deque[int], later: deque[int]) -> None:
        actors = self._actors
        if source in actors.hidden:
            return
        if source in actors.thread_objects and address in actors.started_with:
            return  # everybody reaches a Thread, and only the thread itself uses these fields
        if self._leads_to_other_loggers(walk, source, address):
            walk.meet(loggers.BY_NAME, faint, "")
            return
        if (key := actors.at.get(source)) is not None:
            shy = faint or self._by_context(key, address)
            walk.meet(key, shy, "")
        elif source in actors.ground:
            kind, module = actors.ground[source]
            walk.meet(Key(kind, f"{module}.{self._field(source, address)}"), faint, "")
        else:
            shy = faint or self._type_name(source) in _FAINT
            walk.came[source] = _Reference(address, shy)
            (later if shy else work).append(source)

    def _leads_to_other_loggers(self, walk: _Walk, source: int, address: int) -> bool:
        """Also where a dictionary lies between: that of its attributes, or the one of all loggers."""
        one = self._at(address)
        if type(one) is dict:
            one = self._at(walk.came[address].target)
        return loggers.leads_between(one, self._at(source))

    def _type_name(self, address: int) -> str:
        return type(self._picture.objects[self._position[address]]).__name__

    def _ends_it(self, thing: Thing, address: int) -> bool:
        """Whether it is the bound method itself that ends such a wait."""
        one = self._at(address)
        if not issubclass(type(one), _BOUND):
            return False
        if type(one) is MethodType:
            return attribute(one.__func__, "__name__") in thing.wakers
        return cast("BuiltinMethodType", one).__name__ in thing.wakers

    def _may_end_it(self, walk: _Walk, address: int) -> bool:
        """Whether it is a function, or a suspended one that no task steps, that may come to end such a wait: whoever
        has it may call it without ever naming it."""
        stands = place_of(self._at(address))
        return stands is not None and bool(self._code.may_call([stands], walk.thing.wakers, known=walk.known))

    def _is_exit(self, address: int) -> bool:
        """Whether it is what ends a `with` block: whoever has it will call it without naming it, also one who has the
        thing by a shorter way."""
        one = self._at(address)
        return type(one) is MethodType and attribute(one.__func__, "__name__") in EXITS

    def _by_context(self, key: Key, address: int) -> bool:
        """Whether a callback reaches it only by the context it will run in, and is not the program's own."""
        if key.kind == "task":
            return False
        actor = self._actors.by_key[key]
        if actor.own_wakeup:
            return True  # it only makes the loop look round
        if key.kind not in ("ready", "timer", "io") or (
            actor.callback is not None and self._code.is_own(actor.callback)
        ):
            return False
        return address in self._position and self._type_name(address) == "Context"

    def _has_more_references(self, address: int) -> bool:
        place = self._position.get(address)
        if place is None:
            return False  # not tracked: seen only by what refers to it
        known = sum(self._into.get(address, {}).values()) + self._actors.frame_references[address]
        one = self._picture.objects[place]
        if type(one) is FunctionType:
            known += self._actors.frame_references[id(one.__code__)] + loggers.is_at_exit(one)
        elif type(one) is CellType:
            known += sum(1 for key in self._actors.local.get(id(content(one)), ()) if key)
        return self._picture.count(place) > known

    def _who_has(self, address: int) -> Key:
        """Whose an unexplained reference is."""
        one = self._picture.objects[self._position[address]]
        # Nothing but a `with` keeps the `__exit__` of a lock, and those of the threads of this process are known.
        if self._forked and type(one) is BuiltinMethodType and one.__name__ == "__exit__" and is_readable():
            return LEFT_BEHIND
        return _BLOCKED_STACK if self._is_on_a_blocked_stack(address) else UNKNOWN

    def _is_on_a_blocked_stack(self, address: int) -> bool:
        """Whether an unexplained reference is in all likelihood on the value stack of a blocked thread: the thread has
        the same thing, or what the bound method is bound to, in a local variable, or was started with it, or is
        about to enter it: `with` calls `__enter__` with nothing but `__exit__` on the value stack; or it is made of
        that thread's variables: the arguments of a call from C (of a class, say) that it is in."""
        actors = self._actors
        one: Any = self._picture.objects[self._position[address]]
        if self._are_arguments(one):
            return True
        near = {address}
        if issubclass(type(one), _BOUND):
            near.add(id(attribute(one, "__self__")))
        keys = [key for address in near for key in (*actors.local.get(address, ()), *self._entering.get(address, ()))]
        starter = actors.started_with.get(address)
        return any(actors.by_key[key].waits for key in (*keys, *([starter] if starter else [])) if key in actors.by_key)

    def _are_arguments(self, one: object) -> bool:
        if type(one) is not tuple:
            return False
        actors, values = self._actors, cast("tuple[object, ...]", one)
        having = [frozenset(actors.local.get(id(value), ())) for value in values]
        common = frozenset[Key]() if not having else having[0].intersection(*having[1:])
        return any(actors.by_key[key].waits for key in common if key in actors.by_key)

    def _field(self, source: int, target: int) -> str:
        """By which name a module, a class or a loop has it."""
        holder = self._picture.objects[self._position[source]]
        fields = cast("object", holder) if type(holder) is dict else attribute(holder, "__dict__")
        if type(fields) is dict:
            for name, value in cast("dict[object, object]", fields).items():
                if id(value) == target and type(name) is str:
                    return name
        return "?"

    # --- how likely ---------------------------------------------------------------------------------------------------

    def _judged(self, walk: _Walk, key: Key, faint: bool, via: str) -> Ender:
        actor = self._actors.by_key.get(key)
        name = key.of if type(key.of) is str else "" if actor is None else actor.name
        if faint:
            return Ender(key, Strength.FAINT, name, via)
        if key.kind == STOPPED:
            return self._of_a_stopped_loop(key, name)
        if key == LEFT_BEHIND:
            return Ender(key, Strength.REACHES, name, via)
        if key.kind == "loop" and str(key.of).endswith(_EXECUTOR):
            return Ender(key, Strength.REACHES, name, via)  # what is queued there is for its workers to do
        if key not in walk.armed and key.kind != UNKNOWN.kind and not walk.by_code:
            return Ender(key, Strength.REACHES, name, via)
        if key in walk.armed or (key.kind in FROM_OUTSIDE and key.kind != "signal"):
            return Ender(key, Strength.ARMED, name, via)
        if key.kind in ("global", "class"):
            user = self._code.any_user(key.of, walk.thing.wakers, walk.known) if type(key.of) is str else ""
            return Ender(key, Strength.OPEN if user else Strength.REACHES, name, user or via)
        if actor is None:
            return Ender(key, Strength.FAINT, name, via)
        if not actor.holds.isdisjoint(walk.thing.addresses):
            return Ender(key, Strength.ARMED, name, "it is in its hands")
        use = self._may_call(actor, walk.thing.wakers, walk.known)
        if not use and key in walk.coded:
            use = "a function in its hands"
        return Ender(key, Strength.CODES if use else Strength.REACHES, name, use or via)

    def _of_a_stopped_loop(self, key: Key, name: str) -> Ender:
        """Whoever runs the loop again has its callbacks called."""
        for one in self._actors.by_key.values():
            use = self._may_call(one, _RUNS) if one.key.kind in ("thread", "stack") else ""
            if use:
                return Ender(key, Strength.CODES, name, use)
        return Ender(key, Strength.OPEN, name, NO_THREAD_RUNS)

    def _users_of_ground(self, walk: _Walk) -> list[Ender]:
        """Those whose remaining code takes it from common ground and may end the wait."""
        names = [
            key.of
            for key, (faint, _) in walk.found.items()
            if key.kind in ("global", "class") and type(key.of) is str and not faint
        ]
        found: list[Ender] = []
        for actors in self._alike if names else ():
            uses = (self._code.may_call(actors[0].places, walk.thing.wakers, name, walk.known) for name in names)
            use = next((one for one in uses if one), "")
            if use:
                found += [Ender(one.key, Strength.CODES, one.name, use) for one in actors if one.key not in walk.found]
        return found


def place_of(one: object) -> Place | None:
    """Where a function begins, or a suspended coroutine or generator goes on; None for anything else."""
    code = code_of(one)
    if code is not None:
        return Place(code, -1)
    frame = frame_of(one) if type(one) in SUSPENDED else None
    return None if frame is None else Place(frame.f_code, frame.f_lasti)

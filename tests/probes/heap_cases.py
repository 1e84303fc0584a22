# SPDX-License-Identifier: Apache-2.0
"""Small programs whose one wait is, or is not, going to be ended by somebody whom only the heap can name.

`python heap_cases.py NAME` runs one while the probes look at it, asks the heap, and prints the findings as JSON. The
comment of each says who could end the wait.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import functools
import gc
import json
import os
import signal
import socket
import socketserver
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.diagnosis.kept_reduction import kept_suspects
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.heap.objects import NodeObjects
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.threads.probe import ThreadProbe
from peeps_otel.watcher.assembly import Assembler
from peeps_otel.watcher.heap_question import HeapQuestion
from peeps_otel.watcher.waits import Waits

Case = Callable[[], Coroutine[Any, Any, None]]
SECOND = 1_000_000_000
GLOBAL_CLIENTS: list[object] = []
FORGOTTEN: list[object] = []
GO = asyncio.Event()
NEVER_SET = asyncio.Event()
TAKEN = threading.Lock()
VAR: contextvars.ContextVar[Any] = contextvars.ContextVar("VAR")
CASES: dict[str, Case] = {}
TRUTH: dict[str, str] = {}


def case(truth: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES[function.__name__], TRUTH[function.__name__] = function, truth
        return function

    return add


def spawn(coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    return asyncio.create_task(coroutine, name=name)


class Client:
    def __init__(self) -> None:
        self.pending: dict[object, asyncio.Future[Any]] = {}

    async def call(self, number: object) -> Any:
        self.pending[number] = asyncio.get_running_loop().create_future()
        return await self.pending[number]

    def on_reply(self, number: object) -> None:
        self.pending.pop(number).set_result(None)

    async def read(self, reader: asyncio.StreamReader) -> None:
        while True:
            self.on_reply(await reader.readexactly(1))

    async def read_and_fail(self) -> None:
        await asyncio.sleep(0.01)
        raise ConnectionError


class Pool:
    def __init__(self, size: int) -> None:
        self.free: asyncio.Queue[Connection] = asyncio.Queue()
        for _ in range(size):
            self.free.put_nowait(Connection(self))

    async def acquire(self) -> Connection:
        return await self.free.get()


class Connection:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def close(self) -> None:
        self.pool.free.put_nowait(self)


@case("stuck: ring of two")
async def event_ring() -> None:
    one, two = asyncio.Event(), asyncio.Event()

    async def side(mine: asyncio.Event, other: asyncio.Event) -> None:
        await mine.wait()
        other.set()

    await asyncio.gather(spawn(side(one, two), "a"), spawn(side(two, one), "b"))


@case("stuck: nobody left")
async def pool_exhausted_taker_gone() -> None:
    pool = Pool(1)

    async def take() -> None:
        await pool.acquire()

    await spawn(take(), "taker")
    await spawn(take(), "waiter")


@case("stuck: ring of two over pools")
async def pool_nested() -> None:
    pool = Pool(2)

    async def take(_: object) -> None:
        outer = await pool.acquire()
        await asyncio.sleep(0)
        inner = await pool.acquire()
        inner.close()
        outer.close()

    await asyncio.gather(spawn(take(1), "a"), spawn(take(2), "b"))


@case("stuck: nobody left")
async def condition_missed_notifier_kept() -> None:
    condition = asyncio.Condition()

    async def notify() -> None:
        async with condition:
            condition.notify_all()

    async def wait() -> None:
        async with condition:
            await condition.wait()

    kept = [spawn(notify(), "notifier")]
    await asyncio.sleep(0.01)
    await spawn(wait(), "waiter")
    del kept


@case("live: reader of a socket")
async def lost_reply_reader_live() -> None:
    client = Client()
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    reading = spawn(client.read(reader), "reader")
    await spawn(client.call(b"1"), "caller")
    del reading, writer, theirs


@case("stuck: reader dead, kept")
async def lost_reply_reader_dead() -> None:
    client = Client()
    reading = spawn(client.read_and_fail(), "reader")
    await spawn(client.call(b"1"), "caller")
    del reading


@case("stuck: the same, client in a global")
async def lost_reply_reader_dead_global() -> None:
    client = Client()
    GLOBAL_CLIENTS.append(client)
    reading = spawn(client.read_and_fail(), "reader")
    await spawn(client.call(b"1"), "caller")
    del reading


@case("stuck: a live task holds the client, but never replies")
async def lost_reply_bystander() -> None:
    client = Client()

    async def metrics() -> None:
        while True:
            await asyncio.sleep(60)
            print(len(client.pending))

    watching = spawn(metrics(), "metrics")
    await spawn(client.call(b"1"), "caller")
    del watching


@case("live: the holder sleeps")
async def lock_held_by_sleeper() -> None:
    lock = asyncio.Lock()

    async def hold() -> None:
        async with lock:
            await asyncio.sleep(60)

    async def want() -> None:
        async with lock:
            pass

    holding = spawn(hold(), "holder")
    await asyncio.sleep(0.01)
    await spawn(want(), "waiter")
    del holding


@case("stuck: forgotten connection in a global list")
async def pool_forgotten_in_global() -> None:
    pool = Pool(1)

    async def forget() -> None:
        FORGOTTEN.append(await pool.acquire())

    async def take() -> None:
        (await pool.acquire()).close()

    await spawn(forget(), "forgetter")
    await spawn(take(), "waiter")


@case("stuck: consumer dead, kept")
async def producer_consumer_dead() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)

    async def produce() -> None:
        while True:
            await queue.put(1)

    async def consume() -> None:
        await queue.get()
        raise ValueError

    consuming = spawn(consume(), "consumer")
    await spawn(produce(), "producer")
    del consuming


@case("stuck: the thread that would answer waits for ever")
async def janus_like() -> None:
    loop, waiting, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def thread() -> None:
        gate.wait()
        loop.call_soon_threadsafe(waiting.set)

    threading.Thread(target=thread, name="producer", daemon=True).start()
    await spawn(waiting.wait(), "waiter")


@case("stuck: ring of two threads")
async def thread_event_ring() -> None:
    one, two = threading.Event(), threading.Event()

    def side(mine: threading.Event, other: threading.Event) -> None:
        mine.wait()
        other.set()

    threading.Thread(target=side, args=(one, two), name="t-a", daemon=True).start()
    threading.Thread(target=side, args=(two, one), name="t-b", daemon=True).start()
    del one, two
    await asyncio.sleep(60)


def _served(name: str, first: Callable[[asyncio.AbstractEventLoop], None]) -> asyncio.AbstractEventLoop:
    """A loop in a thread of its own, which calls `first` and then goes on."""
    loop = asyncio.new_event_loop()

    def serve() -> None:
        loop.call_soon(first, loop)
        loop.run_forever()

    threading.Thread(target=serve, name=name, daemon=True).start()
    return loop


@case("stuck: the loop's own callback, to which its thread does not come before this wait ends")
async def callback_put_off() -> None:
    def ask(loop: asyncio.AbstractEventLoop) -> None:
        done = threading.Event()
        loop.call_later(1, done.set)
        done.wait()

    _served("bot", ask)
    await asyncio.sleep(3600)


@case("stuck: two threads that each wait in a callback for a callback of the other's loop")
async def callbacks_of_two_loops() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    known = threading.Barrier(3)

    def ask(loop: asyncio.AbstractEventLoop) -> None:
        known.wait()
        done = threading.Event()
        other = loops[loop is loops[0]]
        other.call_soon_threadsafe(lambda: done.set())
        done.wait()

    loops += [_served("t-a", ask), _served("t-b", ask)]
    known.wait()
    await asyncio.sleep(3600)


@case("live: another loop's callback comes when its thread has slept")
async def callback_of_a_loop_that_sleeps() -> None:
    done = threading.Event()

    def busy(loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(done.set)
        time.sleep(60)

    _served("busy", busy)
    threading.Thread(target=done.wait, name="waiter", daemon=True).start()
    await asyncio.sleep(3600)


@case("live: another loop's timer")
async def timer_of_another_loop() -> None:
    done = threading.Event()

    def later(loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(500, done.set)

    _served("other", later)
    threading.Thread(target=done.wait, name="waiter", daemon=True).start()
    await asyncio.sleep(3600)


@case("stuck: the thread that took the lock is gone; another is about to enter it by `with`")
async def global_lock_of_a_dead_thread():
    def take():
        TAKEN.acquire()

    def enter():
        with TAKEN:
            pass

    taker = threading.Thread(target=take, name="taker")
    taker.start()
    taker.join()
    threading.Thread(target=enter, name="enters", daemon=True).start()
    await asyncio.sleep(3600)


@case("live: thread sleeps, then sets")
async def thread_event_live() -> None:
    gate = threading.Event()

    def late() -> None:
        time.sleep(60)
        gate.set()

    threading.Thread(target=late, name="late", daemon=True).start()
    threading.Thread(target=gate.wait, name="waiter", daemon=True).start()
    await asyncio.sleep(60)


@case("live: timer")
async def call_later_sets() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(60, lambda: future.set_result(1))
    await spawn(asyncio.wait({future}), "waiter")


@case("live: signal handler")
async def signal_sets() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, stop.set)
    await spawn(stop.wait(), "waiter")


def _set_go(*_: object) -> None:
    GO.set()


@case("live: handler of a signal, by a global")
async def signal_module() -> None:
    signal.signal(signal.SIGUSR2, _set_go)
    await spawn(GO.wait(), "waiter")


@case("live: module-level event, setter asleep")
async def global_event_live() -> None:
    async def later() -> None:
        await asyncio.sleep(60)
        GO.set()

    setting = spawn(later(), "setter")
    await spawn(GO.wait(), "waiter")
    del setting


@case("stuck: module-level event that no running code sets")
async def global_event_never() -> None:
    await spawn(NEVER_SET.wait(), "waiter")


class Other:
    """Has what it wakes by a method of its own, as many do."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()

    async def wait(self) -> None:
        await self.ready.wait()
        self.ready.set()


@case("stuck: whoever knows it only waits for it, and other things are set all the time")
async def only_waited_for() -> None:
    async def works_on(other: Other) -> None:
        await NEVER_SET.wait()
        await other.wait()

    async def turns(other: Other) -> None:
        while not NEVER_SET.is_set():
            other.ready.clear()
            await asyncio.sleep(0.05)
            other.ready.set()

    turning = spawn(turns(Other()), "turning")
    await spawn(works_on(Other()), "waiter")
    del turning


class Gate:
    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open = asyncio.Event()

    @property
    def opened(self) -> asyncio.Event:
        return self._open


class Doors:
    def __init__(self) -> None:
        self.front = asyncio.Event()
        self.back = asyncio.Event()

    def open_all(self) -> None:
        for door in (self.front, self.back):
            door.set()


class Bell(asyncio.Event):
    def ring(self) -> None:
        self.set()


async def _set_later(wait: Coroutine[Any, Any, Any], later: Callable[[], object]) -> None:
    async def sets() -> None:
        await asyncio.sleep(60)
        later()

    setting = spawn(sets(), "setter")
    await spawn(wait, "waiter")
    del setting


def use(gate: Gate) -> None:
    gate.opened.set()


def use_by_name(doors: Doors, name: str = "front") -> None:
    getattr(doors, name).set()


@case("live: through a property of what has it in a slot")
async def slot_behind_a_property() -> None:
    gate = Gate()
    await _set_later(gate.opened.wait(), lambda: use(gate))


@case("live: through a loop over attributes")
async def attributes_in_turn() -> None:
    doors = Doors()
    await _set_later(doors.front.wait(), lambda: doors.open_all())


@case("live: through a name that is only written as a text")
async def attribute_by_its_name() -> None:
    doors = Doors()

    def later() -> None:
        use_by_name(doors, "back")
        use_by_name(doors, "front")

    await _set_later(doors.front.wait(), later)


@case("live: through a method of a class of its own")
async def method_of_a_subclass() -> None:
    bell = Bell()
    await _set_later(bell.wait(), lambda: bell.ring())


class Catalog:
    """A service: every connection can reach it."""

    def __init__(self) -> None:
        self.loaded = asyncio.Event()
        self.filled = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline() == b"fill\n":
            self.filled.set()
        await self.loaded.wait()
        writer.close()


async def _ask(catalog: Catalog, wait: Coroutine[Any, Any, Any]) -> None:
    server = await asyncio.start_server(catalog.answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await spawn(wait, "waiter")
    del reader, writer


@case("stuck: every connection reaches it, and nobody has written what would set it")
async def reached_by_every_connection() -> None:
    catalog = Catalog()
    await _ask(catalog, catalog.loaded.wait())


@case("live: a request may set it")
async def set_by_a_request() -> None:
    catalog = Catalog()
    await _ask(catalog, catalog.filled.wait())


@case("live: taken from a table")
async def out_of_a_table() -> None:
    table = {number: asyncio.Event() for number in range(3)}
    await _set_later(table[1].wait(), lambda: [one.set() for one in table.values()])


@case("stuck: reached by a weak reference of a live task only")
async def weak_only() -> None:
    client = Client()
    weak = weakref.ref(client)

    async def bystander() -> object:
        seen = weak
        await asyncio.sleep(60)
        return seen

    async def call(client: Client) -> None:
        await client.call(1)

    watching = spawn(bystander(), "bystander")
    calling = spawn(call(client), "caller")
    del client
    await calling
    del watching


@case("live: through a context variable")
async def context_only() -> None:
    event = asyncio.Event()

    async def later() -> None:
        await asyncio.sleep(60)
        VAR.get().set()

    VAR.set(event)
    setting = spawn(later(), "setter")
    await spawn(event.wait(), "waiter")
    del setting


@case("stuck: the setter has already set, and only sleeps now")
async def spent_setter() -> None:
    event = asyncio.Event()

    async def early() -> None:
        event.set()
        event.clear()
        await asyncio.sleep(60)

    setting = spawn(early(), "early")
    await asyncio.sleep(0.01)
    await spawn(event.wait(), "waiter")
    del setting


@case("stuck: a server is stopped by a request that it serves itself")
async def server_stops_itself() -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.server.shutdown()

    server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
    with socket.create_connection(("127.0.0.1", server.socket.getsockname()[1])):
        threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
        await asyncio.sleep(60)


@case("stuck: the handler of a signal has it, but only takes a note")
async def signal_only_notes() -> None:
    class Server:
        def __init__(self) -> None:
            self.started, self.should_exit = asyncio.Event(), False

        def note(self, *_: object) -> None:
            self.should_exit = True

    server = Server()
    signal.signal(signal.SIGUSR2, server.note)
    await spawn(server.started.wait(), "waiter")


@case("live: iterator on the value stack of a running thread")
async def stack_of_running_thread() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def thread(things: Any) -> None:
        for one in map(  # noqa: C417 - the iterator is on the value stack
            lambda f: (time.sleep(60), loop.call_soon_threadsafe(f.set_result, 1)), things
        ):
            del one

    threading.Thread(target=thread, args=(iter([future]),), name="runner", daemon=True).start()
    await spawn(asyncio.wait({future}), "waiter")


KEPT: list[Any] = []


def waiter(future: asyncio.Future[Any]) -> asyncio.Task[Any]:
    return spawn(asyncio.wait({future}), "waiter")


@case("live: reference counted by C only")
async def c_reference() -> None:
    future = asyncio.get_running_loop().create_future()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(future))
    await waiter(future)


@case("live: C callback keeps a closure")
async def ctypes_callback() -> None:
    future = asyncio.get_running_loop().create_future()
    callback = ctypes.CFUNCTYPE(None)(lambda: future.set_result(1))
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(callback))
    del callback
    await waiter(future)


@case("live: only an address in an integer (cannot be seen by anything)")
async def bare_address() -> None:
    future = asyncio.get_running_loop().create_future()

    async def later(address: int) -> None:
        await asyncio.sleep(60)
        ctypes.cast(address, ctypes.py_object).value.set_result(1)

    spawn(later(id(future)), "later")
    task = waiter(future)
    del future
    await task


@case("live: object array of numpy, which the collector does not track")
async def numpy_array() -> None:
    import numpy

    future = asyncio.get_running_loop().create_future()
    array = numpy.array([future, None], dtype=object)

    async def later() -> None:
        await asyncio.sleep(60)
        array[0].set_result(1)

    kept = spawn(later(), "later")
    task = waiter(future)
    del future
    await task
    del kept


@case("live: frozen objects")
async def frozen() -> None:
    future = asyncio.get_running_loop().create_future()

    async def later(holder: list[asyncio.Future[Any]]) -> None:
        await asyncio.sleep(60)
        holder[0].set_result(1)

    kept = spawn(later([future]), "later")
    await asyncio.sleep(0)
    gc.freeze()
    task = waiter(future)
    del future
    await task
    del kept


@case("live: generator on the value stack of a running thread")
async def generator_on_stack() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def things(future: asyncio.Future[Any]) -> Iterator[object]:
        yield 1
        yield loop.call_soon_threadsafe(future.set_result, 1)

    def thread(start: list[asyncio.Future[Any]]) -> None:
        for _ in things(start.pop()):
            time.sleep(60)

    threading.Thread(target=thread, args=([future],), name="runner", daemon=True).start()
    task = waiter(future)
    del future
    await task


def _sorted(things: Iterator[Any], key: Callable[[Any], int]) -> None:
    sorted(things, key=key)


@case("live: argument of a C function in a pool's thread")
async def c_call_in_pool() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    pool = ThreadPoolExecutor(1)

    def answer(one: asyncio.Future[Any]) -> int:
        time.sleep(60)
        loop.call_soon_threadsafe(one.set_result, 1)
        return 0

    pool.submit(_sorted, iter([future]), answer)
    task = waiter(future)
    del future
    await task


@case("live: finalizer of an object that a sleeping task holds")
async def finalizer() -> None:
    future = asyncio.get_running_loop().create_future()

    class Thing:
        pass

    thing = Thing()
    weakref.finalize(thing, future.set_result, 1)

    async def later(_: object) -> None:
        await asyncio.sleep(60)

    kept = spawn(later(thing), "later")
    task = waiter(future)
    del future, thing
    await task
    del kept


@case("live: context variable of a copied context, run by a timer")
async def context_of_timer() -> None:
    loop = asyncio.get_running_loop()
    variable: contextvars.ContextVar[asyncio.Future[Any]] = contextvars.ContextVar("variable")
    future = loop.create_future()
    context = contextvars.copy_context()
    context.run(variable.set, future)
    loop.call_later(60, lambda: variable.get().set_result(1), context=context)
    task = waiter(future)
    del future, context
    await task


def _ignore(*_: object) -> None:
    """A profile function that holds something."""


@case("live: profile function of another thread")
async def profile_function() -> None:
    future = asyncio.get_running_loop().create_future()

    def thread() -> None:
        sys.setprofile(functools.partial(_ignore, KEPT.pop()))
        time.sleep(60)

    KEPT.append(future)
    threading.Thread(target=thread, name="profiled", daemon=True).start()
    task = waiter(future)
    del future
    await task


@case("live: name built at run time (getattr)")
async def dynamic_name() -> None:
    event = asyncio.Event()

    async def later() -> None:
        await asyncio.sleep(60)
        getattr(event, "s" + "et")()

    kept = spawn(later(), "later")
    await spawn(event.wait(), "waiter")
    del kept


@case("live: bound method kept in a table")
async def bound_method() -> None:
    event = asyncio.Event()

    async def later(table: list[Callable[[], None]]) -> None:
        await asyncio.sleep(60)
        for call in table:
            call()

    kept = spawn(later([event.set]), "later")
    task = spawn(event.wait(), "waiter")
    del event
    await task
    del kept


@case("live: timer of the loop")
async def timer() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(60, future.set_result, 1)
    task = waiter(future)
    del future
    await task


@case("live: ready callback behind a blocking one")
async def ready_queue() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    task = waiter(future)
    await asyncio.sleep(0)
    loop.call_soon(time.sleep, 5)
    loop.call_soon(future.set_result, 1)
    del future
    await task


@case("live: stream")
async def stream() -> None:
    import socket

    ours, KEPT_SOCKET = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    await spawn(reader.read(1), "waiter")
    del writer, KEPT_SOCKET


@case("live: executor's future")
async def executor() -> None:
    await spawn(asyncio.to_thread(time.sleep, 60), "waiter")


@case("live: process in the loop's care")
async def child_process() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "2")
    await spawn(process.wait(), "waiter")


@case("live: garbage task that answers in its finally, once it is collected (not handled: needs today's `dying`)")
async def garbage_finally() -> None:
    event = asyncio.Event()

    async def helper() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            event.set()

    spawn(helper(), "helper")
    await spawn(event.wait(), "waiter")
    await asyncio.sleep(60)  # the looks themselves may bring the collection


@case("live: bounded by asyncio.timeout (not handled: needs today's `bounded`)")
async def bounded() -> None:
    async with asyncio.timeout(60):
        await asyncio.get_running_loop().create_future()


class Look:
    """The probes and the diagnosis, as the watcher drives them, with a clock that can be moved on."""

    def __init__(self) -> None:
        context = ProbeContext()
        tasks, threads = AsyncioProbe(Recorder(1 << 62), context=context), ThreadProbe(context)
        self.probes = CompositeProbe([tasks, threads], context)
        self.heap = HeapQuestion(NodeObjects(self.probes, tasks))
        self.assembler, self.waits = Assembler(30 * SECOND, lambda: None), Waits()
        self.diagnoser = Diagnoser(suspects=kept_suspects)
        self.assembler.restart()

    def once(self, ahead_s: int) -> list[dict[str, Any]]:
        now_ns = time.time_ns() + ahead_s * SECOND
        observation = self.probes.look(now_ns, lambda: None)
        self.heap.lay(observation)
        self.assembler.assemble(observation, now_ns, True)
        graph, changed = self.waits.update(self.assembler.difference, observation)
        findings = self.diagnoser.look_at(graph, changed, now_ns)
        self.heap.look(observation, graph, now_ns)
        self.by = {k: v for node in graph.nodes.values() for k, v in node.attributes.items() if "could_end" in k}
        names = [[graph.nodes[one].name for one in f.core if one in graph.nodes] for f in findings]
        return [
            {"kind": f.kind, "level": f.level, "title": f.title, "core": core, "advice": f.advice}
            for f, core in zip(findings, names, strict=True)
        ]


def look() -> None:
    time.sleep(float(os.environ.get("BEFORE_S", "0.5")))
    eyes = Look()
    eyes.once(0)
    eyes.once(5)
    for _ in range(400):
        if not eyes.heap.is_busy:
            break
        time.sleep(0.05)
    for ahead_s in (20, 21):
        found = eyes.once(ahead_s)
    print(json.dumps({"findings": found, "by": eyes.by, "not_asked": eyes.heap.not_asked}), flush=True)
    os._exit(0)


def main(name: str) -> None:
    if os.environ.get("LOOP") == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    threading.Thread(target=look, name="peeps-looker", daemon=True).start()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(CASES[name]())


if __name__ == "__main__":
    main(sys.argv[1])

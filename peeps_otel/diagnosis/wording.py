# SPDX-License-Identifier: Apache-2.0
"""Nodes and waits in plain words. No ages in here: a title must not change while nothing else does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .. import semconv
from ..model import Node, NodeKind, own_line
from ..model.operations import operation
from .frames import own_frame
from .wait_index import WaitIndex
from .wait_links import WAITERS

_LABELS = {
    NodeKind.LOCK: "Lock",
    NodeKind.SEMAPHORE: "Semaphore",
    NodeKind.EVENT: "Event",
    NodeKind.CONDITION: "Condition",
    NodeKind.BARRIER: "Barrier",
    NodeKind.TX: "Queue",
    NodeKind.RX: "Queue",
}
_IMPORT = "importlib.import"
IN_ANOTHER_THREAD = "run it in another thread (Trio: `trio.to_thread.run_sync`; gevent: `get_hub().threadpool.apply`)"
_KIND_WORDS = {"tx": "Queue", "rx": "Queue", "io": "I/O", "shm": "Shared memory"}


def label(node: Node | None) -> str:
    """What a person calls the node: a task by its name, a resource by its type and name, or where it was made."""
    if node is None:
        return "something that is gone"
    if node.kind is NodeKind.TASK:
        return node.name
    if node.kind is NodeKind.THREAD:
        return _thread(node)
    if semconv.DIED_OF in node.attributes:
        of_thread = node.attributes.get(semconv.DIED_AS) == NodeKind.THREAD and "thread" not in node.name.lower()
        return f"thread {node.name}" if of_thread else node.name
    kind = str(node.attributes.get(semconv.RESOURCE_TYPE, "")).rpartition(".")[2] or _LABELS.get(node.kind, node.kind)
    if is_import(node):
        return f"the import of {node.name}"
    if node.kind is NodeKind.IO and kind.endswith(("Transport", "socket", "pipe")):
        return _connection("pipe" if "pipe" in kind.lower() else "socket", node.name)
    if node.kind in (NodeKind.REQUEST, NodeKind.RESPONSE):
        return _call(node)
    if not node.name or node.name == node.attributes.get(semconv.RESOURCE_TYPE):
        a = "an" if kind[:1] in "AEIOU" else "a"
        return f"{kind} ({short(node.source)})" if own_line.is_line(node.source) else f"{a} {kind}"
    return node.name if node.name.lower().startswith(f"{kind.lower()} ") else f"{kind} {node.name}"


def _thread(node: Node) -> str:
    """`MainThread`, `thread load_0`, `MainThread of worker-1`."""
    of = node.attributes.get(semconv.THREAD_PROCESS)
    if semconv.COMMAND_PID in node.attributes:  # a program of which no more is seen
        return str(of)
    name = node.name if "thread" in node.name.lower() else f"thread {node.name}"
    return f"{name} of {of}" if isinstance(of, str) else name


def is_import(node: Node) -> bool:
    """Whether it is the lock of a module that is being imported."""
    return node.attributes.get(semconv.RESOURCE_TYPE) == _IMPORT


def _call(node: Node) -> str:
    """`request GET /orders to shop`, `response GET /orders for checkout`."""
    other = node.attributes.get(semconv.RPC_SERVICE)
    known = isinstance(other, str) and bool(other)
    to = f" {'to' if node.kind is NodeKind.REQUEST else 'for'} {other}" if known else ""
    return f"{node.kind} {node.name}{to}"


def in_service(request: Node) -> str:
    """` in inventory`: where a request is handled; empty where that is not known."""
    other = request.attributes.get(semconv.RPC_SERVICE)
    return f" in {other}" if isinstance(other, str) and other else ""


def kind_word(kind: str) -> str:
    """What a person calls a kind of node: `Task`, `Queue`, `I/O`."""
    return _KIND_WORDS.get(kind, kind.replace("_", " ").capitalize())


def _connection(thing: str, name: str) -> str:
    """`a socket to 127.0.0.1:80`, `a socket at 127.0.0.1:80` for one that listens, `a pipe (fd 7)`."""
    if not name:
        return f"a {thing}"
    if name.startswith("its "):  # of another program
        return name
    if name.startswith("fd "):
        return f"a {thing} ({name})"
    return f"a {thing} {name}" if name.startswith("at ") else f"a {thing} to {name}"


def process(node: Node) -> str:
    """`ffmpeg (pid 4711)`, `pid 4711` where it has no name."""
    pid = node.attributes.get(semconv.COMMAND_PID)
    if not node.name or pid is None:
        return label(node)
    return node.name if node.name == f"pid {pid}" else f"{node.name} (pid {pid})"


def are_stuck_too(names: list[str]) -> str:
    """`consumer could, but is stuck itself`; of several, in the plural."""
    return f"{several(names)} could, but " + ("is stuck itself" if len(names) == 1 else "are stuck themselves")


def short(source: str) -> str:
    """`a/b/c/d.py:7` to `c/d.py:7`: enough to find the line, short enough to read. What stands before a line stays."""
    before, own = own_line.split(source)
    path, separator, line = own.rpartition(":")
    if not line.isdecimal():  # the line is not known
        path, separator, line = own, "", ""
    return before + "/".join(path.replace("\\", "/").split("/")[-2:]) + separator + line


_ENDS = {
    NodeKind.EVENT: "set it",
    NodeKind.CONDITION: "notify it",
    NodeKind.BARRIER: "come to it",
    NodeKind.RX: "put into it",
    NodeKind.TX: "take from it",
    NodeKind.IO: "read from it",
    NodeKind.COMMAND: "end it",
    NodeKind.LOCK: "release it",
    NodeKind.SEMAPHORE: "release it",
}


def ends(graph: WaitIndex, thing: str) -> str:
    """What somebody does to end the waits for it: `set it`, `put into it`, `finish it` where all is to be done."""
    node = graph.nodes[thing]
    if node.kind is NodeKind.RX and _is_drained(graph, thing):
        return "finish it"
    if node.kind is NodeKind.IO and semconv.IO_UNMOVED_SINCE not in node.attributes:
        return "accept it" if semconv.IO_IS_UNACCEPTED in node.attributes else "write to it"
    return _ENDS.get(node.kind, "complete it")


def _is_drained(graph: WaitIndex, channel: str) -> bool:
    """Whether all who wait for it wait until it is empty and all is done."""
    waits = [node.wait for one in graph.waiters.get(channel, ()) if (node := graph.nodes.get(one)) is not None]
    operations = {wait.operation for wait in waits if wait is not None}
    return bool(operations) and all(operation(one).drains for one in operations)


def only_waiters(graph: WaitIndex, thing: str) -> str:
    """That those who could end the waits for a thing are in such a wait themselves; empty where there is none."""
    # One by several ways is one. Thousands may wait, of whom few could end it.
    able = [one for one in dict.fromkeys(graph.enders.get(thing, ())) if one in graph.nodes]
    able = [one for one in able if thing in graph.targets.get(one, ())]
    names, end = [label(graph.nodes[one]) for one in able], ends(graph, thing)
    if len(able) > 1:
        return f"only {several(names)} could {end}, and they all wait for it too"
    return f"only {names[0]} itself could {end}, after this very wait" if able else ""


def is_of_asyncio(graph: WaitIndex, task: str) -> bool:
    """Not a task of Trio, or a greenlet: they have no event loop of asyncio."""
    return semconv.LOOP_ID in graph.nodes[task].attributes


def is_worker_process(graph: WaitIndex, future: str, thread: str) -> bool:
    """Whether a future is owed by a pool of processes, and this is a thread of one of those at work there."""
    return any(thread in graph.enders.get(pool, ()) for pool in graph.holders.get(future, ()))


def several(names: Iterable[str], most: int = 3) -> str:
    """`a`, `a and b`, `a, b, c and 4 more`; those of one name once, as `3 × a`."""
    counts = Counter(names)
    told = [name if number == 1 else f"{number} × {name}" for name, number in counts.items()]
    if len(told) > most:
        return f"{', '.join(told[:most])} and {sum(list(counts.values())[most:])} more"
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def count(number: int, thing: str) -> str:
    """`1 task`, `4 tasks`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def waits_for(graph: WaitIndex, waiter: str, target: str) -> str:
    """`waits for Lock db`, `waits to put into Queue work (16/16)`, `waits for the end of worker-b`."""
    node = graph.nodes.get(target)
    name = label(node)
    if node is not None and node.kind is NodeKind.THREAD and graph.thread_of(waiter) == target:
        return f"cannot run while {name} is blocked"
    if waiter == target:
        return "waits for the end of itself"
    wait = None if waiter not in graph.nodes else graph.nodes[waiter].wait
    if node is None and wait is not None and operation(wait.operation).kind is not None:
        return f"waits in {wait.operation}"  # not for somebody's end: for a thing that is not shown
    if node is None or node.kind in WAITERS:
        another = node is not None and name == label(graph.nodes.get(waiter))
        return f"waits for the end of another {name}" if another else f"waits for the end of {name}"
    if node.kind is NodeKind.TX:
        length, capacity = node.attributes.get(semconv.CHANNEL_LENGTH), node.attributes.get(semconv.CHANNEL_CAPACITY)
        return f"waits to put into {name} ({length}/{capacity})" if capacity else f"waits to put into {name}"
    if node.kind is NodeKind.RX and wait is not None and operation(wait.operation).drains:
        return f"waits until everything put into {name} is done"
    if node.kind is NodeKind.RX:
        return f"waits for an item from {name}"
    if node.kind is NodeKind.IO and semconv.IO_UNMOVED_SINCE in node.attributes:
        return f"waits to write to {name}"
    if node.kind is NodeKind.COMMAND:
        return f"waits for the end of {process(node)}"
    return f"waits for {name}"


def doing(graph: WaitIndex, node_id: str) -> str:
    """What a task or thread does now, as a clause that follows its name; empty where that is not known."""
    node = graph.nodes.get(node_id)
    if node is None or node.kind not in WAITERS:
        return ""
    home = graph.thread_of(node_id)
    if home is not None and graph.is_stuck_thread(home):
        return f"cannot run while {label(graph.nodes.get(home))} is blocked"
    wait = node.wait
    if wait is None:
        frame = own_frame(node)
        if node.state == "runnable":
            return "is ready to run"
        if node.state == "blocked":
            call = node.attributes.get(semconv.THREAD_CALL)
            known = call if isinstance(call, str) else "a blocking call"
            return f"is in {known}{at('at', own_line.place(node.stack))}"
        if frame is not None:
            return f"runs {frame.function}{at('at', own_line.source(frame))}"
        return f"runs{at('at', own_line.place(node.stack))}"
    if operation(wait.operation).sleeps:
        return f"sleeps{at('at', wait.source)}"
    targets = graph.targets.get(node_id, [])
    if len(targets) > 1:
        all_of = "all" if wait.needs >= len(targets) else f"{wait.needs}"
        return f"waits for {all_of} of {len(targets)} ({wait.operation}){at('at', wait.source)}"
    text = waits_for(graph, node_id, targets[0]) if targets else f"waits in {wait.operation}"
    return text + at("at", wait.source, text)


def at(preposition: str, source: str, text: str = "") -> str:
    """` at app/main.py:7` or ` in aiohttp`, unless `text` has said so already."""
    where = short(source)
    before = f" {preposition} " if own_line.is_line(source) else " "
    return f"{before}{where}" if where and not _says(text, where) else ""


def _says(text: str, where: str) -> bool:
    """Whether this place is in the text, and not only as the beginning of a longer line number."""
    found = text.find(where)
    while found >= 0 and text[found + len(where) : found + len(where) + 1].isdecimal():
        found = text.find(where, found + 1)
    return found >= 0

# SPDX-License-Identifier: Apache-2.0
"""Looking at threads that never stand still: in a process of its own, since what could go wrong would end it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.examples import examples

_PROGRAM = """
import contextlib, faulthandler, gc, os, queue, random, sys, threading, time
from concurrent.futures import ThreadPoolExecutor, wait
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.threads.probe import ThreadProbe

faulthandler.enable()
sys.setswitchinterval(1e-5)
stop = False
jobs, plain = queue.Queue(3), queue.SimpleQueue()
shared = [threading.Lock() for _ in range(4)]

class Dies:
    def __init__(self): self.cycle = [self]
    def __del__(self):
        with threading.Lock(): time.sleep(0)

@contextlib.contextmanager
def managed(lock):
    with lock: yield

def locks():
    while not stop:
        one, other = sorted(random.sample(range(4), 2))
        with shared[one], managed(shared[other]): sum(range(20))
        threading.Lock().acquire()
        held = threading.Lock(); held.acquire(timeout=0.001); held.acquire(timeout=0.0005)
        with threading.Lock() as _: pass
        Dies()
        with contextlib.ExitStack() as stack: stack.enter_context(threading.Lock())

def recursion():
    def inner(depth, *arguments):
        things = [object() for _ in range(5)]
        with threading.Lock():
            if depth: inner(depth - 1, things, *arguments[:2])
            else: time.sleep(0)
    while not stop: inner(random.randrange(40))

def produce():
    while not stop:
        with contextlib.suppress(queue.Full): jobs.put(Dies(), timeout=0.001)
        plain.put(Dies())

def consume():
    while not stop:
        with contextlib.suppress(queue.Empty): jobs.get(timeout=0.001)
        with contextlib.suppress(queue.Empty): plain.get(timeout=0.0005)

def pool():
    with ThreadPoolExecutor(3) as executor:
        while not stop: wait([executor.submit(sum, range(10)) for _ in range(10)])

def spawn():
    while not stop:
        thread = threading.Thread(target=int); thread.start(); thread.join()

kinds = (threading.Event().wait, locks, locks, recursion, produce, consume, consume, pool, spawn)
threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]
for thread in threads: thread.start()
context = ProbeContext()
probes = CompositeProbe([ThreadProbe(context)], context)
end = time.monotonic() + SECONDS
looks = waits = 0
coverage = set()
while time.monotonic() < end:
    seen = probes.look(time.time_ns(), lambda: None)
    looks += 1
    waits += sum(node.wait is not None for node in seen.nodes.values())
    coverage.update(seen.coverage)
    gc.collect()
assert not coverage, coverage
print(looks, waits, flush=True)
os._exit(0)
"""


@pytest.mark.skipif(sys.version_info >= (3, 14) or sys.platform != "linux", reason="frames are not read there")
def test_threads_that_never_stand_still_are_not_harmed() -> None:
    program = _PROGRAM.replace("SECONDS", str(max(1.5, examples(60) / 10)))  # the more, the more is found
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    looks, waits = map(int, done.stdout.split())
    assert looks > 3
    assert waits > 0

# SPDX-License-Identifier: Apache-2.0
"""Whether a thread goes slowly since others have the processors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os, threading, time
from peeps_otel.watcher.for_a_processor import ForAProcessor

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
parent, others = os.getpid(), list[int]()
for _ in range(3):
    others.append(os.fork())
    while others[-1] == 0:
        if os.getppid() != parent:
            os._exit(0)
os.nice(5)

def spin(until):
    while not until():
        pass

watch, used = ForAProcessor(threading.get_native_id()), time.thread_time()
end = time.monotonic() + 1.5
spin(lambda: time.monotonic() > end)
starved = watch.lacks_it()
for other in others:
    os.kill(other, 9)
    os.waitpid(other, 0)
spin(lambda: time.thread_time() > used + 0.5)
computed = watch.lacks_it()
watch = ForAProcessor(threading.get_native_id())
time.sleep(0.5)
slept = watch.lacks_it()
print(starved, computed, slept)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="the kernel does not tell who waits to run")
def test_one_that_gets_no_processor_lacks_it_and_one_that_has_computed_or_sleeps_does_not() -> None:
    """Beside three others on one processor, and after them."""
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["True", "False", "False"]

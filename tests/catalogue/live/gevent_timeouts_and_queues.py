# SPDX-License-Identifier: Apache-2.0
"""A gevent program that gets on: locks in both orders under a `Timeout`, queues, a full pool, an event set at times."""

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool
from gevent.queue import JoinableQueue

left, right = BoundedSemaphore(1), BoundedSemaphore(1)
raw: JoinableQueue[int] = JoinableQueue(2)
done: JoinableQueue[int] = JoinableQueue(2)
tick = Event()
crew = Pool(3)


def take(first: BoundedSemaphore, second: BoundedSemaphore) -> None:
    while True:
        try:
            with gevent.Timeout(0.7), first:
                gevent.sleep(0.05)
                with second:
                    gevent.sleep(0.01)
        except gevent.Timeout:
            continue
        gevent.sleep(0.01)


def produce() -> None:
    for number in range(1_000_000):
        raw.put(number)
        raw.join()


def refine() -> None:
    for number in raw:
        gevent.sleep(0.01)
        done.put(number)
        raw.task_done()


def collect() -> None:
    while True:
        done.get()
        done.task_done()


def hire() -> None:
    while True:
        crew.spawn(gevent.sleep, 0.2)


def wait_for_ticks() -> None:
    while True:
        tick.wait()
        tick.clear()


def beat() -> None:
    while True:
        gevent.sleep(0.3)
        tick.set()


gevent.spawn(take, left, right)
gevent.spawn(take, right, left)
for function in (produce, refine, collect, hire, wait_for_ticks):
    gevent.spawn(function)
beat()

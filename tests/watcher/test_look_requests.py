# SPDX-License-Identifier: Apache-2.0
"""Who asks for a look hears of it after the look, and after the one that has the heap's answer where it was asked."""

from __future__ import annotations

from dataclasses import dataclass

from peeps_otel.watcher.look_requests import LookReport, LookRequests


@dataclass
class Heap:
    asked: int = 7
    not_asked: str = ""
    is_under_way: bool = False


def test_a_look_that_asks_nothing_answers_at_its_end() -> None:
    requests, told = LookRequests(), list[LookReport]()
    requests.before_look(Heap())
    requests.request(told.append)  # in the midst of a look: that one began before
    requests.after_look(Heap())
    assert told == []
    requests.before_look(Heap())
    requests.after_look(Heap())
    assert told == [LookReport(0, "")]
    requests.after_look(Heap())
    assert told == [LookReport(0, "")]  # once


def test_what_the_heap_is_asked_for_it_is_waited_for() -> None:
    requests, told, heap = LookRequests(), list[LookReport](), Heap()
    requests.request(told.append)
    requests.before_look(heap)
    heap.asked, heap.is_under_way = 10, True
    requests.after_look(heap)
    requests.before_look(heap)
    requests.after_look(heap)
    assert told == []
    heap.is_under_way, heap.not_asked = False, "the program handles SIGCHLD"
    requests.before_look(heap)
    requests.after_look(heap)
    assert told == [LookReport(3, "the program handles SIGCHLD")]


def test_without_questions_to_the_heap_a_look_is_all() -> None:
    requests, told = LookRequests(), list[LookReport]()
    requests.request(told.append)
    requests.before_look(None)
    requests.after_look(None)
    assert told == [LookReport(0, "")]

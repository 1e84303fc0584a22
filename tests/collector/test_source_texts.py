# SPDX-License-Identifier: Apache-2.0
"""The text of lines in the collector: whose it is, how much, and where the answers have it."""

from __future__ import annotations

from typing import Any

import pytest

from peeps_collector.decode.canonical import Rejected, source_text_of
from peeps_collector.decode.logs import SourceTextRecord
from peeps_collector.decode.resource import process_of
from peeps_collector.graph.process import Process
from peeps_collector.graph.source_texts import SourceTexts
from peeps_otel import semconv
from peeps_otel.model.seal import text_seal
from tests.collector.collector_support import resource

SECRET = 0xA


def processes(*keys: str, secret: int = SECRET) -> dict[str, Process]:
    return {key: Process(process_of(resource(key)), 0, 0, secret=secret + number) for number, key in enumerate(keys)}


def record(place: str, first: int, text: str, secret: int = SECRET) -> SourceTextRecord:
    return SourceTextRecord(place, first, text, text_seal(secret, place, first, text))


def test_lines_are_known_by_process_and_place() -> None:
    texts = SourceTexts()
    texts.told("shop", record("/a.py:3", 2, "  two\n  three"), processes("shop"))
    assert texts.of(["other", "shop"], ["/a.py:3", "/a.py:4"]) == {
        "/a.py:3": {"first": 2, "lines": ["  two", "  three"]}
    }
    assert texts.of(["other"], ["/a.py:3"]) == {}
    assert texts.line("shop", "/a.py:3") == "three"
    assert texts.line("shop", "/a.py:9") == texts.line("other", "/a.py:3") == texts.line("shop", "") == ""


def test_another_sender_does_not_put_words_into_a_line() -> None:
    texts = SourceTexts()
    with pytest.raises(Rejected, match=r"peeps.source_text.seal is missing or wrong"):
        texts.told("shop", record("/a.py:3", 3, "evil", secret=1), processes("shop"))
    assert texts.of(["shop"], ["/a.py:3"]) == {}


def test_the_line_of_a_forked_copy_is_its_own() -> None:
    texts = SourceTexts()
    texts.told("shop", record("/a.py:3", 3, "x", secret=SECRET + 1), processes("shop", "shop/77"))
    assert texts.line("shop/77", "/a.py:3") == "x"
    assert texts.line("shop", "/a.py:3") == ""


def test_no_process_has_more_than_its_share() -> None:
    texts, known = SourceTexts(), processes("shop")
    for number in range(2_001):
        texts.told("shop", record(f"/a.py:{number + 1}", number + 1, "x"), known)
    assert texts.line("shop", "/a.py:1") == ""
    assert texts.line("shop", "/a.py:2") == "x"


@pytest.mark.parametrize(
    ("attributes", "body"),
    [
        ({semconv.SOURCE: "/a.py:3"}, "x"),
        ({semconv.SOURCE: "/a.py", semconv.SOURCE_TEXT_FIRST: 3}, "x"),
        ({semconv.SOURCE_TEXT_FIRST: 3}, "x"),
        ({semconv.SOURCE: "/a.py:3", semconv.SOURCE_TEXT_FIRST: 3}, b"x"),
        ({semconv.SOURCE: "/a.py:3", semconv.SOURCE_TEXT_FIRST: 3}, "x" * 4001),
        ({semconv.SOURCE: "/a.py:3", semconv.SOURCE_TEXT_FIRST: 3}, "\n" * 20),
    ],
)
def test_what_is_no_text_of_lines_is_rejected(attributes: dict[str, Any], body: object) -> None:
    with pytest.raises(Rejected):
        source_text_of(attributes, body)

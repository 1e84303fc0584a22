# SPDX-License-Identifier: Apache-2.0
"""docs/glossary.md has each of the product's own words that somebody reads in an answer."""

from __future__ import annotations

import re
from pathlib import Path

from peeps_otel.diagnosis.certainty_words import certainty
from peeps_otel.model import FindingKind, Level

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "glossary.md").read_text()
WORDS = re.findall(r"^\| (\S[^|]*?) \|", PAGE, re.M)
FIELDS = {
    "kind",
    "label",
    "wait",
    "own",
    "telemetry",
    "verdict",
    "stuck",
    "calm",
    "headline",
    "certainty",
    "core",
    "cycle",
    "evidence",
    "blocked",
    "blocked_sites",
    "examples",
    "untold",
    "look_at",
    "break_first",
    "advice",
    "not_answered",
    "cannot_judge",
    "coverage",
    "shed",
    "dropped",
}
"""Of the answers of the API: those that are no plain English or Python words."""


def test_every_kind_and_level_is_explained() -> None:
    wanted = {kind.value for kind in FindingKind} | {level.value for level in Level} | FIELDS
    assert wanted - set(WORDS) == set()


def test_the_fields_are_those_of_the_api() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "api.md").read_text()
    assert {field for field in FIELDS if f'"{field}"' not in page} == set()


def test_no_word_is_explained_twice() -> None:
    assert sorted(word for word in set(WORDS) if WORDS.count(word) > 1) == ["word"]


def test_each_finding_says_why_it_is_as_sure_as_it_is() -> None:
    told = {certainty(kind, level) for kind in FindingKind for level in Level}
    assert all(text and not text.endswith(".") and text[0].islower() for text in told)
    assert certainty("deadlock", "PROVEN") != certainty("deadlock", "LIKELY")
    assert certainty("of a later version", "PROVEN") == certainty("deadlock", "PROVEN")
    assert certainty("deadlock", "of a later version") == ""

# SPDX-License-Identifier: Apache-2.0
"""The filter of a table, as a person writes it: `kind:lock waits>5s site:db.py -state:idle "worker a"`.

Words beside each other must all hold. `key:text` has the text in it, `key=text` is it, `>`, `>=`, `<`, `<=` compare
numbers, times (`5s`, `10m`, `200ms`) and shares (`80%`); `a,b` is one of both; `-` before a word: not; a word without a
key stands in any text. A value that is missing holds nothing.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .column import Column, Type, Value
from .moment import Moment, Subject

Test = Callable[[Moment, Subject], bool]

_MOST = 500
_TOKEN = re.compile(r'\s*(-?)(?:([a-zA-Z_]+)(>=|<=|!=|[:=<>]))?("[^"]*"|[^\s"]*)')
_UNITS = {"ms": 1e6, "s": 1e9, "m": 60e9, "min": 60e9, "h": 3600e9, "d": 86_400e9}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ":": operator.eq,
    "!=": operator.ne,
}
_TEXTUAL = (Type.TEXT, Type.PLACE)


class FilterError(Exception):
    """What is wrong with a filter, and what may stand there, in one sentence."""


class Word(NamedTuple):
    is_not: bool
    key: str
    sign: str
    text: str


def parse(text: str, columns: Sequence[Column]) -> list[Test]:
    """The tests that a row must pass, all of them. Raises FilterError."""
    if len(text) > _MOST:
        raise FilterError(f"the filter has more than {_MOST} characters")
    return [_test(word, columns) for word in _words(text)]


def _words(text: str) -> list[Word]:
    found: list[Word] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        assert match is not None
        is_not, key, sign, value = match.groups()
        if match.end() == at or (not value and not key) or text[match.end() : match.end() + 1] == '"':
            rest = text[at:].strip()
            if rest.count('"') % 2:
                raise FilterError(f"a quotation mark is missing after {rest[:40]}")
            raise FilterError(f'{rest[:40]!r} is no word of a filter; quote what has blanks in it: name:"worker a"')
        if key and not value:
            raise FilterError(f"{key}{sign} wants something behind it, such as {_example(key, sign)}")
        found.append(Word(bool(is_not), (key or "").lower(), sign or "", value.strip('"')))
        at = match.end()
    return found


def _example(key: str, sign: str) -> str:
    return f"{key}{sign}{'5s' if sign in {'>', '<', '>=', '<='} else 'text'}"


def _test(word: Word, columns: Sequence[Column]) -> Test:
    if not word.key:
        test = _anywhere(word.text.lower(), columns)
    else:
        column = next((one for one in columns if one.key == word.key), None)
        if column is None:
            raise FilterError(_unknown(word.key, columns))
        test = _text_test(column, word) if column.type in _TEXTUAL else _number_test(column, word)
    return (lambda moment, subject: not test(moment, subject)) if word.is_not else test


def _unknown(key: str, columns: Sequence[Column]) -> str:
    keys = [column.key for column in columns]
    close = difflib.get_close_matches(key, keys, 1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return (
        f"there is no {key} here{meant} There are {', '.join(keys)}"
        if meant
        else (f"there is no {key} here; there are {', '.join(keys)}")
    )


def _anywhere(text: str, columns: Sequence[Column]) -> Test:
    texts = [column for column in columns if column.type in _TEXTUAL]

    def test(moment: Moment, subject: Subject) -> bool:
        return any(text in str(value).lower() for column in texts if (value := column.of(moment, subject)) is not None)

    return test


def _text_test(column: Column, word: Word) -> Test:
    if word.sign not in {":", "=", "!="}:
        raise FilterError(f"{column.key} is a text and has no {word.sign}; write {column.key}:{word.text or 'text'}")
    parts = [part for part in word.text.lower().split(",") if part]
    if not parts:
        raise FilterError(f"{column.key}{word.sign} wants a text behind it")

    def has(moment: Moment, subject: Subject) -> bool:
        value = column.of(moment, subject)
        if value is None:
            return False
        whole = str(value).lower()
        if word.sign == ":":
            return any(part in whole for part in parts)
        short = moment.short(subject.process, str(value)).lower() if column.type is Type.PLACE else whole
        same = whole in parts or short in parts or whole == word.text.lower()
        return same is (word.sign == "=")

    return has


def _number_test(column: Column, word: Word) -> Test:
    wanted = _number(column, word.text)
    compare = _ORDER[word.sign]

    def holds(moment: Moment, subject: Subject) -> bool:
        value = column.of(moment, subject)
        if value is None or isinstance(value, str):
            return False
        return compare(moment.now_ns - value if column.type is Type.SINCE else value, wanted)

    return holds


def _number(column: Column, text: str) -> float:
    if column.type in (Type.SINCE, Type.DURATION):
        match = _SPAN.fullmatch(text.strip().lower())
        if match is None:
            raise FilterError(f"{column.key} is a time: {text[:20]!r} is none such as 200ms, 5s, 10m or 2h")
        return float(match[1]) * _UNITS[match[2]]
    plain = text.strip().removesuffix("%") if column.type is Type.SHARE else text.strip()
    if not re.fullmatch(r"\d+(?:\.\d+)?", plain):
        kind = "a share: 80%" if column.type is Type.SHARE else "a number: 10"
        raise FilterError(f"{column.key} is {kind}; {text[:20]!r} is none")
    return float(plain) / (100 if column.type is Type.SHARE else 1)


def quoted(key: str, value: Value) -> str:
    """A word of a filter that holds of exactly this value of a text; empty where none can be written."""
    text = str(value)
    return "" if value is None or '"' in text else f'{key}="{text}"'

# SPDX-License-Identifier: Apache-2.0
"""Order risks that somebody has looked at and answers for, until a date.

A TOML file::

    [[suppress]]
    sites = ["shop/orders.py:31", "shop/stock.py:12"]
    owner = "team-orders"
    reason = "stock is only taken during start-up, before orders run"
    expires = 2027-06-30
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from ..model import Finding

_FIELDS = ("sites", "owner", "reason", "expires")


class BadSuppressions(ValueError):
    """Names the field and the line."""


class Suppression(NamedTuple):
    """`sites`: each must be the end of a `path:line` that the finding names. It holds up to and including `expires`."""

    sites: tuple[str, ...]
    owner: str
    reason: str
    expires: datetime.date

    def covers(self, finding: Finding) -> bool:
        named = {link.wait_source for link in finding.evidence} | {link.hold_source or "" for link in finding.evidence}
        return all(any(_ends_with(place, site) for place in named) for site in self.sites)


def _ends_with(place: str, site: str) -> bool:
    return place == site or place.endswith("/" + site)


def parse(text: str) -> list[Suppression]:
    """Raises BadSuppressions."""
    import tomllib  # few programs have any

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSuppressions(str(error)) from None
    for key in document.keys() - {"suppress"}:
        raise BadSuppressions(f"{key!r} is not known; write [[suppress]] (line {_line(text, key, 0)})")
    entries: object = document.get("suppress", [])
    if not isinstance(entries, list):
        raise BadSuppressions(f"suppress must be an array of tables; write [[suppress]] (line {_line(text, '', 0)})")
    return [_entry(text, number, entry) for number, entry in enumerate(cast("list[Any]", entries))]


def _entry(text: str, number: int, entry: Any) -> Suppression:
    def bad(field: str, what: str) -> BadSuppressions:
        return BadSuppressions(f"{field} {what} (line {_line(text, field, number)})")

    if not isinstance(entry, dict):
        raise bad("suppress", "must be a table")
    values = cast("dict[str, Any]", entry)
    for field in values.keys() - set(_FIELDS):
        raise bad(field, f"is not known; known are {', '.join(_FIELDS)}")
    for field in _FIELDS:
        if field not in values:
            raise bad(field, "is missing")
    sites, expires = values["sites"], values["expires"]
    if not isinstance(sites, list) or not sites or not all(_is_site(site) for site in cast("list[Any]", sites)):
        raise bad("sites", 'must be an array of "path:line", at least one')
    for field in ("owner", "reason"):
        if not isinstance(values[field], str) or not values[field].strip():
            raise bad(field, "must be text")
    if not isinstance(expires, datetime.date) or isinstance(expires, datetime.datetime):
        raise bad("expires", "must be a date such as 2027-06-30, without quotes")
    return Suppression(tuple(cast("list[str]", sites)), values["owner"], values["reason"], expires)


def _is_site(site: object) -> bool:
    return isinstance(site, str) and re.fullmatch(r".+:\d+", site) is not None


def _line(text: str, field: str, number: int) -> int:
    """Of a field in the table of this number; of the table's head where it has none."""
    lines = text.splitlines()
    heads = [n for n, line in enumerate(lines, 1) if re.match(r"\s*\[\[\s*suppress\s*\]\]", line)]
    begin = heads[number] if number < len(heads) else 1
    end = heads[number + 1] if number + 1 < len(heads) else len(lines) + 1
    for n in range(begin, end):
        if field and re.match(rf"\s*\"?{re.escape(field)}\"?\s*=", lines[n - 1]):
            return n
    return begin


def apply(
    findings: Iterable[Finding], suppressions: Iterable[Suppression], today: datetime.date
) -> tuple[list[Finding], list[str]]:
    """The findings that are left, and notes about suppressions that have run out."""
    holding = [one for one in suppressions if one.expires >= today]
    expired = [one for one in suppressions if one.expires < today]
    left: list[Finding] = []
    notes: list[str] = []
    for finding in findings:
        if any(one.covers(finding) for one in holding):
            continue
        left.append(finding)
        notes += [
            f"the suppression of {' and '.join(one.sites)} by {one.owner} ran out on {one.expires}"
            for one in expired
            if one.covers(finding)
        ]
    return left, notes

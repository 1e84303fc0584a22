# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime

import pytest

from peeps_otel.diagnosis import suppressions
from peeps_otel.diagnosis.suppressions import BadSuppressions
from peeps_otel.model import EvidenceStep, Finding, FindingKind, Level

GOOD = """
# looked at in March
[[suppress]]
sites = ["shop/orders.py:31", "stock.py:12"]
owner = "team-orders"
reason = "only during start-up"
expires = 2027-06-30
"""
TODAY = datetime.date(2027, 6, 30)


def finding(*sites: str) -> Finding:
    links = [EvidenceStep("task:a", "lock:b", None, 0, "", site) for site in sites]
    return Finding("order_risk:1", FindingKind.ORDER_RISK, Level.SLOW, "", 0, [], evidence=links)


def test_it_holds_up_to_its_day() -> None:
    (one,) = suppressions.parse(GOOD)
    risk = finding("/srv/shop/orders.py:31", "/srv/shop/stock.py:12")
    assert suppressions.apply([risk], [one], TODAY) == ([], [])
    left, notes = suppressions.apply([risk], [one], TODAY + datetime.timedelta(days=1))
    assert left == [risk]
    assert notes == ["the suppression of shop/orders.py:31 and stock.py:12 by team-orders ran out on 2027-06-30"]


@pytest.mark.parametrize("sites", [("/srv/shop/orders.py:31",), ("/srv/myshop/orders.py:31", "stock.py:12"), ()])
def test_every_site_must_be_named(sites: tuple[str, ...]) -> None:
    risk = finding(*sites)
    assert suppressions.apply([risk], suppressions.parse(GOOD), TODAY) == ([risk], [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("owner =", "ownr ="), "ownr is not known.* \\(line 5\\)"),
        (('owner = "team-orders"\n', ""), "owner is missing \\(line 3\\)"),
        (("= 2027-06-30", '= "2027-06-30"'), "expires must be a date .* \\(line 7\\)"),
        (("= 2027-06-30", "= 2027-06-30T00:00:00"), "expires must be a date .* \\(line 7\\)"),
        (('"only during start-up"', '" "'), "reason must be text \\(line 6\\)"),
        (('["shop/orders.py:31", "stock.py:12"]', "[]"), "sites must be an array .* \\(line 4\\)"),
        (('"stock.py:12"', '"stock.py"'), "sites must be an array .* \\(line 4\\)"),
        (("[[suppress]]", "[[supress]]"), "'supress' is not known"),
        (("owner = ", "owner "), "line 5"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(change: tuple[str, str], message: str) -> None:
    with pytest.raises(BadSuppressions, match=message):
        suppressions.parse(GOOD.replace(*change))


def test_the_line_of_the_right_table() -> None:
    with pytest.raises(BadSuppressions, match="owner must be text \\(line 12\\)"):
        suppressions.parse(GOOD + GOOD.replace('"team-orders"', "1"))


def test_an_empty_file() -> None:
    assert suppressions.parse("") == []

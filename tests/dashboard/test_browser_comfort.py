# SPDX-License-Identifier: Apache-2.0
"""What makes the explorer pleasant, in Chromium: themes, keys, a phone."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.dashboard.fake_api import FakeApi
from tests.support.accessibility import violations
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.browser]
_GROUND = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
_SHADES = """
() => ['.stApp', '.pc li.here code'].map(what => getComputedStyle(document.querySelector(what)))
  .map((style, i) => i ? style.color : style.backgroundColor)
"""


def is_dark(page: Any) -> bool:
    """Streamlit's part of the page and ours, which must agree."""
    ground, letters = (sum(map(int, re.findall(r"\d+", one)[:3])) for one in page.evaluate(_SHADES))
    assert (ground < 200) == (letters > 500), (ground, letters)
    return ground < 200


def test_a_theme_is_chosen_once_for_all_pages(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("deadlock")
    seen = visit("light")
    seen.page.goto(explorer)
    seen.wait_for_graph()
    switch = seen.page.get_by_role("button", name="theme")
    assert not is_dark(seen.page)
    for shown, dark in (("light", False), ("dark", True)):
        switch.click()
        seen.page.locator(f"html[data-theme={shown}]").wait_for(state="attached")
        eventually(lambda dark=dark: is_dark(seen.page) == dark, "both parts have changed")
    assert violations(seen.page) == []
    seen.picture("theme-dark")
    seen.page.goto(f"{explorer}/graph")  # another page, and a new start
    assert seen.page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    seen.wait_for_graph()
    box = seen.page.locator("svg.view [data-id] .label").first
    assert sum(map(int, re.findall(r"\d+", box.evaluate("one => getComputedStyle(one).fill"))[:3])) > 500
    other = seen.context.new_page()
    other.goto(explorer)
    other.locator(".stApp .pc li.here").first.wait_for()
    assert is_dark(other)
    other.get_by_role("button", name="theme").click()  # as the system has it, which is light; everywhere
    for page in (other, seen.page):
        page.locator("html[data-theme=system]").wait_for(state="attached")
    for page in (other, seen.page):
        eventually(lambda page=page: "255" in page.evaluate(_GROUND), "it is light")
    other.emulate_media(color_scheme="dark")
    eventually(lambda: is_dark(other), "it follows the system again")
    assert (seen.outside, seen.errors) == ([], [])


def test_keys_go_from_suspect_to_suspect(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("mixed")
    seen = visit()
    seen.page.goto(explorer)
    seen.wait_for_graph()
    seen.page.locator(".st-key-suspect input").first.wait_for(state="attached")
    for key, head in (("j", "CHANNEL FULL"), ("j", "SEMAPHORE STARVED"), ("j", "DEADLOCK"), ("k", "SEMAPHORE STARVED")):
        seen.page.keyboard.press(key)
        seen.page.locator(".pp-verdict h1", has_text=head).wait_for()
    seen.page.wait_for_url(re.compile("finding=semaphore"))
    seen.page.keyboard.press("?")
    assert "the next suspect" in seen.page.locator("#pp-keys[open]").inner_text()
    seen.page.keyboard.press("Escape")
    for key, page in (("3", "tables"), ("1", ""), ("2", "graph")):
        seen.page.keyboard.press(key)
        seen.page.wait_for_url(re.compile(rf"^{explorer}/{page}\?"))
    seen.page.locator(".st-key-search input").fill("3")  # what is written is no key
    seen.page.wait_for_timeout(500)
    assert f"{explorer}/graph?" in seen.page.url
    assert seen.errors == []


def test_what_is_copied_for_a_ticket_has_its_moment_and_a_link(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("deadlock")
    seen = visit()
    seen.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen.page.goto(explorer)
    seen.wait_for_graph()
    seen.page.get_by_role("button", name="Copy as text").click()
    seen.page.get_by_text("copied", exact=True).wait_for()
    told = seen.page.evaluate("navigator.clipboard.readText()").splitlines()
    assert told[0].startswith("DEADLOCK, PROVEN, ")
    moment = re.fullmatch(r"As it was at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC: (http\S+[?]at=(\d{19})\S*)", told[-1])
    assert moment is not None, told
    assert datetime.fromtimestamp(int(moment[3]) / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") == moment[1]
    assert moment[2].startswith(explorer)
    assert moment[2].endswith("&finding=deadlock%3A0000000000000001")
    seen.page.locator(".pc").get_by_role("button", name="Copy the path and line").first.click()
    eventually(
        lambda: seen.page.evaluate("navigator.clipboard.readText()") == "orders/service.py:31", "the place alone"
    )
    assert (seen.outside, seen.errors) == ([], [])


def chosen_in(page: Any) -> str:
    return page.evaluate("new URLSearchParams(location.search).get('finding') ?? ''")


def test_a_chosen_finding_goes_along_from_page_to_page(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("mixed")
    seen = visit()
    seen.page.goto(explorer)
    seen.wait_for_graph()
    assert chosen_in(seen.page) == ""
    seen.page.get_by_test_id("stRadioGroup").get_by_text("CHANNEL FULL, SUSPECT").click()
    seen.page.locator(".pp-verdict h1", has_text="CHANNEL FULL").wait_for()
    of_it = re.compile("CHANNEL FULL")
    for name, part in (("Graph", ".pp-strip"), ("Tables", ".pp-strip"), ("SQL", ""), ("Verdict", ".pp-verdict h1")):
        seen.page.get_by_test_id("stTopNavLink").filter(has_text=name).click()
        seen.page.wait_for_url(re.compile(f"{explorer}/{name.lower().removeprefix('verdict')}.finding=channel_full"))
        if part:
            seen.page.locator(part, has_text=of_it).wait_for()
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.page.locator(".pp-nav a", has_text="Graph").click()  # a link that loads the page anew
    seen.page.locator(".pp-strip", has_text="CHANNEL FULL").wait_for()
    assert chosen_in(seen.page).startswith("channel_full")
    assert (seen.outside, seen.errors) == ([], [])


def test_on_a_phone_the_graph_comes_before_what_chooses_its_part(
    explorer: str, shared_api: FakeApi, visit: Any
) -> None:
    shared_api.show("deadlock")
    seen = visit()
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.page.goto(f"{explorer}/graph")
    seen.wait_for_graph()
    parts = (".pp-strip", ".wg", ".st-key-graph-controls", "[class*=st-key-near-]")
    seen.page.locator(parts[-1]).first.wait_for()
    tops = [seen.page.locator(part).first.bounding_box()["y"] for part in parts]
    assert tops == sorted(tops)
    assert tops[1] < 200
    first = seen.page.locator("svg.view [data-id='task:A']").bounding_box()
    assert first["y"] + first["height"] < 844
    assert violations(seen.page) == []
    seen.picture("graph-phone")
    seen.page.set_viewport_size({"width": 1280, "height": 800})
    tops = [
        seen.page.locator(part).first.bounding_box()["y"] for part in (".pp-strip", ".st-key-graph-controls", ".wg")
    ]
    assert tops == sorted(tops)
    assert (seen.outside, seen.errors) == ([], [])


def test_what_else_was_found_is_one_click_away(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("mixed")
    seen = visit()
    seen.page.set_viewport_size({"width": 1280, "height": 800})
    seen.page.goto(explorer)
    seen.wait_for_graph()
    other = seen.page.locator(".pc-also a", has_text="CHANNEL FULL")
    box = other.bounding_box()
    assert box["y"] + box["height"] <= 800
    seen.page.evaluate("window.here = true")
    other.click()
    seen.page.locator(".pp-verdict h1", has_text="CHANNEL FULL").wait_for()
    assert seen.page.evaluate("window.here")  # it was not loaded anew
    assert chosen_in(seen.page).startswith("channel_full")
    assert violations(seen.page) == []
    seen.page.goto(f"{explorer}/?at={seen.page.evaluate('Date.now()')}000000")
    seen.page.locator(".stApp .pc-also a", has_text="CHANNEL FULL").wait_for()
    seen.page.locator(".pp-notice", has_text="As it was at").wait_for()
    seen.page.locator(".pc-also a", has_text="CHANNEL FULL").click()
    seen.page.locator(".pp-verdict h1", has_text="CHANNEL FULL").wait_for()
    assert "at=" in seen.page.url
    assert (seen.outside, seen.errors) == ([], [])


def test_on_a_phone_a_ring_with_many_behind_it_can_be_read_whole(
    explorer: str, shared_api: FakeApi, visit: Any
) -> None:
    shared_api.show("deadlock")
    world = copy.deepcopy(shared_api.world)
    world.edges[:] = [edge for edge in world.edges if edge["dst"] != "lock:CACHE" or edge["src"] == "task:B"]
    shared_api.world = world
    seen = visit()
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.page.goto(f"{explorer}/graph")
    seen.wait_for_graph()
    assert len(seen.places()) > 8
    for node in ("task:A", "lock:DB", "task:B", "lock:CACHE"):
        box = seen.page.locator(f"svg.view [data-id='{node}'] .box").bounding_box()
        assert box["x"] >= 0, node
        assert box["x"] + box["width"] <= 390, node
        assert box["height"] >= 0.6 * 46, "its words can be read"
    seen.picture("graph-phone-ring")
    assert seen.errors == []

# SPDX-License-Identifier: Apache-2.0
"""The explorer in Chromium: what only a browser can show. Pictures go to artifacts/."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from bench.visit import visit as cost_of
from tests.dashboard import scenarios
from tests.dashboard.fake_api import FakeApi
from tests.support.accessibility import violations
from tests.support.explorer import running_explorer
from tests.support.network import free_port
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.browser]
CHANNEL = "channel_full:0000000000000002"
# The place of the card before and after, and how much the page has shifted.
_WATCH = """
(() => {
  window.rects = {}; window.shift = 0;
  const look = () => {
    const card = document.querySelector('#pp-card');
    if (!card) return;
    const r = card.getBoundingClientRect();
    window.rects[document.querySelector('#pp-early') ? 'early' : 'slot'] = [r.x, r.y, r.width].map(Math.round);
  };
  new MutationObserver(look).observe(document, {subtree: true, childList: true});
  new PerformanceObserver(l => l.getEntries().forEach(s => { window.shift += s.value; }))
    .observe({type: 'layout-shift', buffered: true});
})();
"""
RING = ["task:A", "lock:DB", "task:B", "lock:CACHE"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_verdict_is_on_the_first_screen(explorer: str, shared_api: FakeApi, visit: Any, scheme: str) -> None:
    shared_api.show("deadlock")
    seen = visit(scheme)
    seen.page.goto(explorer)
    seen.wait_for_graph()
    sentence = seen.page.locator(".pp-verdict h1")
    assert re.match(r"DEADLOCK, PROVEN, .+?: worker-a waits for Lock db", sentence.inner_text())
    seen.page.get_by_text("reconcile", exact=True).wait_for()
    for what in (".pc", ".pc li.here >> nth=0", ".pc li.here >> nth=1", ".pc-more", ".wg"):
        box = seen.page.locator(what).first.bounding_box()
        assert box["y"] >= 0, f"{what} is above the first screen: {box}"
        assert box["y"] + box["height"] <= 1000, f"{what} is not on the first screen: {box}"
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1400
    assert set(seen.places()) == {*RING, "fold-lock:DB", "fold-lock:CACHE"}
    assert violations(seen.page) == []
    ring = seen.page.locator("svg.view .e.cyc")
    held = "all => all.map(one => one.classList.contains('held_by')).sort()"
    eventually(lambda: ring.evaluate_all(held) == [False, False, True, True], "the ring is drawn")
    background = seen.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    light = sum(int(n) for n in re.findall(r"\d+", background)[:3])
    assert light > 600 if scheme == "light" else light < 150
    seen.picture(f"verdict-{scheme}")
    assert (seen.outside, seen.errors) == ([], [])


def selected(page: Any) -> int:
    return page.evaluate("getSelection().toString().length")


def test_the_card_is_handed_over_without_a_jump(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("deadlock")
    for width in (390, 768, 1280, 1920):
        seen = visit()
        seen.page.set_viewport_size({"width": width, "height": 900})
        seen.page.add_init_script(_WATCH)
        seen.page.goto(explorer, wait_until="commit")
        seen.wait_for_graph()
        assert seen.page.locator("#pp-early").count() == 0
        assert seen.page.locator(".pc").count() == 1
        early, slot, shift = seen.page.evaluate("[window.rects.early, window.rects.slot, window.shift]")
        assert early == slot, width
        assert shift < 0.01
        assert seen.errors == []


def test_a_selection_in_the_sentence_lasts(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("deadlock")
    seen = visit()
    seen.page.goto(explorer)
    seen.wait_for_graph()
    sentence = seen.page.locator(".pp-verdict h1")
    before = sentence.inner_text()
    seen.page.evaluate("getSelection().selectAllChildren(document.querySelector('.pp-verdict h1'))")
    eventually(lambda: sentence.inner_text() != before, "the card is refreshed")
    assert selected(seen.page) > 50


def test_without_javascript_the_verdict_is_there(explorer: str, shared_api: FakeApi, browser: Any) -> None:
    shared_api.show("deadlock")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(explorer)
    assert page.locator("h1").inner_text().startswith("DEADLOCK, PROVEN")
    assert page.locator("li.here code").first.inner_text().strip() == "async with self.db:"
    context.close()


def test_a_chosen_suspect_changes_the_page_and_the_address(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("mixed")
    seen = visit()
    seen.page.goto(explorer)
    seen.wait_for_graph()
    seen.page.get_by_test_id("stRadioGroup").get_by_text("CHANNEL FULL, SUSPECT").click()
    seen.page.locator(".pp-verdict h1", has_text="CHANNEL FULL").wait_for()
    seen.page.locator(f".wg[data-ready='{CHANNEL}']").wait_for()
    seen.page.wait_for_url(re.compile("finding=channel_full"))
    seen.picture("channel-light")
    copy = visit()
    copy.page.goto(seen.page.url)
    copy.page.locator(".pp-verdict h1", has_text="CHANNEL FULL").wait_for()
    copy.wait_for_graph()
    copy.page.wait_for_timeout(2500)  # it stays chosen while the page refreshes itself
    assert "CHANNEL FULL" in copy.page.locator(".pp-verdict h1").inner_text()
    assert (seen.errors, copy.errors) == ([], [])


def test_a_node_of_the_ring_shows_its_stack(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("deadlock")
    seen = visit()
    seen.page.goto(explorer)
    seen.wait_for_graph()
    seen.page.locator("[data-id='task:B']").click()
    seen.page.locator(".pp-side", has_text="worker-b waits for Lock cache").wait_for()
    seen.page.locator("[data-id='task:B'].sel").wait_for()
    seen.page.wait_for_url(re.compile("focus="))
    # the keyboard does the same: from worker-b along its wait to the lock, then to who holds it
    seen.page.locator("[data-id='task:B']").focus()
    seen.page.keyboard.press("ArrowRight")
    seen.page.keyboard.press("ArrowRight")
    seen.page.keyboard.press("Enter")
    seen.page.locator(".pp-side", has_text="worker-a waits for Lock db").wait_for()


def test_positions_do_not_move_by_themselves(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("deadlock")
    seen = visit()
    seen.page.goto(f"{explorer}/graph?unfold=lock%3ADB")
    seen.wait_for_graph()
    before = seen.places()
    camera = seen.page.locator("svg.view > g").get_attribute("transform")
    changed = copy.deepcopy(shared_api.world)
    changed.node("task:NEW", "late-comer", wait=("lock.acquire", 1, "orders/service.py:18"))
    changed.edge("needs", "task:NEW", "lock:CACHE")
    del changed.nodes["task:W00"]
    changed.edges[:] = [e for e in changed.edges if e["src"] != "task:W00"]
    finding = changed.findings[0]
    finding["blocked"] = [*(i for i in finding["blocked"] if i != "task:W00"), "task:NEW"]
    finding["nodes"] = {i: changed.nodes[i] for i in [*finding["nodes"], "task:NEW"] if i in changed.nodes}
    shared_api.world = changed  # in one step: the server answers from its own threads
    seen.page.locator("[data-id='task:NEW']").wait_for()
    after = seen.places()
    assert {i: after.get(i) for i in before} == before
    assert seen.page.locator("svg.view > g").get_attribute("transform") == camera
    seen.page.locator("[data-id='task:W00'].ghost").wait_for()
    assert seen.errors == []


def test_a_graph_too_large_to_be_read_begins_where_something_is_stuck(
    explorer: str, shared_api: FakeApi, visit: Any
) -> None:
    shared_api.show("deadlock")
    crowd = copy.deepcopy(shared_api.world)
    for number in range(150):
        crowd.node(f"task:M{number:03}", f"waiter-{number}", wait=("lock.acquire", 1, "orders/service.py:18"))
        crowd.edge("needs", f"task:M{number:03}", "lock:DB")
    shared_api.world = crowd
    seen = visit()
    seen.page.goto(f"{explorer}/graph?stuck=false&unfold=lock%3ADB")
    seen.wait_for_graph()
    stage = seen.page.locator("svg.view > g")

    def scale() -> float:
        return float(re.findall(r"scale\(([\d.]+)\)", stage.get_attribute("transform"))[0])

    assert scale() >= 0.6
    frame = seen.page.locator("svg.view").bounding_box()
    box = seen.page.locator("[data-id='task:A']").bounding_box()  # what the panel beside it is about
    assert frame["x"] <= box["x"] + box["width"] / 2 <= frame["x"] + frame["width"]
    assert frame["y"] <= box["y"] + box["height"] / 2 <= frame["y"] + frame["height"]
    seen.page.get_by_role("button", name="Fit").click()
    assert scale() < 0.6, "everything, on demand"
    assert seen.errors == []


# Edge and node, for each edge that runs through a node which it does not end at.
_CROSSINGS = """
svg => [...svg.querySelectorAll('.e')].flatMap(edge => {
  const path = edge.querySelector('path'), length = path.getTotalLength();
  const [from, to] = [edge.dataset.source, edge.dataset.target];
  return [...svg.querySelectorAll('[data-id]')].filter(node => {
    if (node.dataset.id === from || node.dataset.id === to) return false;
    const [x, y] = node.getAttribute('transform').match(/-?[\\d.]+/g).map(Number);
    const {width, height} = node.querySelector('.box').getBBox();
    for (let at = 0; at <= length; at += 2) {
      const p = path.getPointAtLength(at);
      if (p.x > x && p.x < x + width && p.y > y && p.y < y + height) return true;
    }
    return false;
  }).map(node => `${from} to ${to} through ${node.dataset.id}`);
})
"""


@pytest.mark.parametrize("query", ["", "?stuck=false"])
def test_no_edge_of_the_graph_runs_through_a_box(explorer: str, shared_api: FakeApi, visit: Any, query: str) -> None:
    shared_api.show("mixed")
    seen = visit()
    seen.page.goto(f"{explorer}/graph{query}")
    seen.wait_for_graph()
    assert seen.page.locator("svg.view .e.cyc").count() == 4
    assert seen.page.locator("svg.view").evaluate(_CROSSINGS) == []


def test_a_chain_goes_from_above_where_it_could_not_be_read_otherwise(
    explorer: str, shared_api: FakeApi, visit: Any
) -> None:
    shared_api.show("none")
    world = copy.deepcopy(shared_api.world)
    world.process(scenarios.ORDERS, "orders", 4711)
    for number in range(6):
        world.node(f"task:{number}", f"step-{number}", wait=("task.wait", 9, "orders/service.py:18"))
    for number in range(5):
        world.edge("needs", f"task:{number}", f"task:{number + 1}")
    shared_api.world = world
    seen = visit()
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.page.goto(f"{explorer}/graph?stuck=false&focus=task%3A2&depth=4")
    seen.wait_for_graph()
    eventually(lambda: len(seen.places()) == 6, "the chain alone, and not what the explorer had before")
    corners = [tuple(map(float, re.findall(r"-?[\d.]+", place)[:2])) for place in seen.places().values()]
    assert len({round(y) for _, y in corners}) == 6, "one below the other"
    transform = seen.page.locator("svg.view > g").get_attribute("transform")
    assert float(re.findall(r"scale\(([\d.]+)\)", transform)[0]) > 0.7
    assert seen.errors == []


def test_ages_count_and_pause_stands_still(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("deadlock")
    seen = visit()
    seen.page.goto(explorer)
    seen.wait_for_graph()
    sentence = seen.page.locator(".pp-verdict h1")
    first = sentence.inner_text()
    eventually(lambda: sentence.inner_text() != first, "the age counts")
    seen.page.keyboard.press("p")
    seen.page.get_by_text("Paused: the page stands still").wait_for()
    kept = sentence.inner_text()
    seen.page.wait_for_timeout(3000)
    assert sentence.inner_text() == kept


def test_hostile_names_appear_as_they_are(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("hostile")
    seen = visit()
    seen.page.goto(explorer)
    seen.wait_for_graph()
    whole = " ".join(scenarios.HOSTILE[:4]), " ".join(scenarios.HOSTILE[4:])

    def shown(selector: str) -> str:
        texts = seen.page.locator(selector).all_inner_texts()
        return " ".join(" ".join(texts).replace("\u2060", "").split())

    def is_shown(text: str, selector: str) -> None:
        """In the end: first the page may show what it has kept of the world before, and its parts come one by one."""
        eventually(lambda: text in shown(selector), f"{text} in {selector}")

    for name in whole:
        is_shown(name, ".pp-verdict h1")
        is_shown(name, ".pp-side")
    is_shown("<script>alert(1)</script>", ".pp-stack")
    titles = seen.page.locator("svg.view [data-id] title")
    eventually(lambda: titles.all_text_contents()[:1] and titles.first.text_content().startswith("Task " + whole[0]))
    seen.picture("hostile-light")
    seen.page.goto(f"{explorer}/graph?focus=lock%3ADB")
    seen.wait_for_graph()
    # each is a link of the panel: a Markdown label
    for name in scenarios.HOSTILE[:6]:
        is_shown(name, "[class*=st-key-near] button")
    seen.picture("hostile-graph-light")
    assert (seen.outside, seen.errors) == ([], [])


@pytest.mark.parametrize("page", ["", "graph", "history"])
def test_a_cold_visit_is_small(explorer: str, shared_api: FakeApi, browser: Any, page: str) -> None:
    """One more chunk of Streamlit's is soon a megabyte: its code block alone is 1.5 MB. Its small ones come as one."""
    shared_api.show("deadlock")
    seen = cost_of(browser, f"{explorer}/{page}")
    assert any("BidiComponent" in address for address in seen.sizes)  # the page was there
    assert seen.errors == []
    assert len(seen.sizes) <= 35, sorted(seen.sizes)
    assert seen.size < 800_000, sorted(seen.sizes.items(), key=lambda item: -item[1])[:9]


def test_a_flame_graph_is_zoomed_by_click_and_by_keys(explorer: str, visit: Any) -> None:
    seen = visit()
    seen.page.goto(f"{explorer}/slow?chart=both")
    boxes = seen.page.locator(".pp-flame button")
    boxes.first.wait_for()
    seen.page.get_by_role("button", name="app.py:50").click()
    assert boxes.evaluate_all(
        "all => all.filter(one => !one.hidden).map(one => [one.textContent, one.style.width])"
    ) == [
        ["move", "100%"],
        ["[lock db]", "100%"],
        ["app.py:50", "100%"],
    ]
    seen.page.keyboard.press("ArrowUp")
    assert seen.page.evaluate("document.activeElement.textContent") == "[lock db]"
    seen.page.keyboard.press("Escape")
    assert boxes.evaluate_all("all => all.every(one => !one.hidden)")
    assert seen.errors == []


@pytest.mark.parametrize("name", ["graph", "tables", "slow", "history", "sql", "connect"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_stays_inside(explorer: str, shared_api: FakeApi, visit: Any, name: str, scheme: str) -> None:
    shared_api.show("mixed")
    seen = visit(scheme)
    seen.page.goto(f"{explorer}/{name}")
    seen.page.locator(".pp-heading").first.wait_for()
    if name == "graph":
        seen.wait_for_graph()
    else:
        seen.page.locator("[data-testid=stDataFrame], .pp-table").first.wait_for()
    seen.page.wait_for_timeout(1500)
    seen.picture(f"{name}-{scheme}")
    assert violations(seen.page) == []
    seen.page.locator("body").press("?")
    assert "draw the graph around the node" in seen.page.locator("#pp-keys[open]").inner_text()
    seen.page.keyboard.press("Escape")
    seen.page.locator("#pp-keys:not([open])").wait_for(state="attached")
    if name in ("graph", "tables"):
        seen.page.keyboard.press("/")
        assert seen.page.evaluate("document.activeElement.tagName") == "INPUT"
    assert (seen.outside, seen.errors) == ([], [])


def test_the_first_program_is_noticed(explorer: str, shared_api: FakeApi, visit: Any) -> None:
    shared_api.show("none")
    seen = visit()
    seen.page.goto(explorer)
    seen.page.locator(".pp-verdict h1", has_text="No program is connected").wait_for()
    seen.picture("empty-light")
    shared_api.show("healthy")
    seen.page.locator(".pp-verdict h1", has_text="Nothing is stuck").wait_for()
    seen.picture("calm-light")
    shared_api.show("deadlock")
    seen.page.locator(".pp-verdict h1", has_text="DEADLOCK").wait_for()
    seen.wait_for_graph()
    assert seen.errors == []


def test_it_keeps_trying_an_unreachable_collector(visit: Any) -> None:
    port, api_port = free_port(), free_port()
    with running_explorer(f"127.0.0.1:{api_port}", port):
        seen = visit()
        seen.page.goto(f"http://127.0.0.1:{port}")
        seen.page.locator(".pp-verdict h1", has_text=f"nothing listens at 127.0.0.1:{api_port}").wait_for()
        seen.picture("unreachable-light")
        late = FakeApi("deadlock", api_port)
        try:
            seen.page.locator(".pp-verdict h1", has_text="DEADLOCK").wait_for()
        finally:
            late.close()
        seen.page.locator(".pc-unknown", has_text="This is the last verdict, of ").wait_for()
        assert "DEADLOCK" in seen.page.locator(".pp-verdict h1").inner_text()

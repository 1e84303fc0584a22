# SPDX-License-Identifier: Apache-2.0
"""Each page under AppTest against the fake API, the component included. No browser."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.dashboard import scenarios
from tests.dashboard.fake_api import FakeApi
from tests.support.network import free_port

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

DEADLOCK, CHANNEL = "deadlock:0000000000000001", "channel_full:0000000000000002"


def _app_test() -> type[AppTest]:
    from streamlit.testing.v1 import AppTest  # takes long: only where its tests run

    return AppTest


def page(name: str, **query: str) -> AppTest:
    test = _app_test().from_string(f"from peeps_dashboard.screens import {name}\n{name}.page()\n", default_timeout=60)
    for key, value in query.items():
        test.query_params[key] = value
    return test.run()


def column(test: AppTest, name: str) -> list[Any]:
    """Of the first table of the page, from above."""
    blocks = [element.proto.body for element in test.get("html") if "<table>" in element.proto.body]
    if not blocks:
        table: Any = test.dataframe[0].value
        return list(table[name])
    heads = [html.unescape(one) for one in re.findall(r"<th [^>]*>(.*?)</th>", blocks[0])]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", blocks[0])[1:]]
    return [html.unescape(re.sub(r"<[^>]+>", "", row[heads.index(name)])) for row in rows]


def codes(test: AppTest) -> list[str]:
    """Commands and places that have a button to copy them."""
    blocks = [element.proto.body for element in test.get("html")]
    return [html.unescape(one) for block in blocks for one in re.findall(r"pp-code\"><code>(.*?)</code>", block)]


def texts(test: AppTest) -> str:
    """All HTML blocks as a person reads them."""
    assert not test.exception, test.exception
    blocks = [element.proto.body for element in test.get("html")]
    return "\n".join(html.unescape(re.sub(r"<[^>]+>", "", block)) for block in blocks)


def picture(test: AppTest) -> Any:
    component: Any = test.get("bidi_component")[0].proto
    return json.loads(component.json)


@pytest.mark.usefixtures("api")
def test_the_verdict_comes_first() -> None:
    test = page("verdict")
    said = texts(test)
    assert re.match(r"DEADLOCK, PROVEN, 4\d s: worker-a waits for Lock db, held by worker-b", said)
    assert "31 tasks wait behind it: request-00" in said
    assert "What would release it" in said
    assert codes(test) == ["orders/service.py:31", "orders/jobs.py:44"]
    assert "transfer" in said
    assert "reconcile" in said
    drawn = picture(test)
    assert (drawn["layout"], len(drawn["nodes"]), drawn["total"]) == ("ring", 6, 36)


def test_a_link_chooses_the_finding_and_the_node(api: FakeApi) -> None:
    api.show("mixed")
    test = page("verdict", finding=CHANNEL)
    assert texts(test).count("CHANNEL FULL, SUSPECT") == 1
    assert test.radio(key="suspect").value == CHANNEL
    assert picture(test)["view"] == CHANNEL
    other = page("verdict", finding=DEADLOCK, focus="task:B")
    assert codes(other) == ["orders/jobs.py:45", "orders/service.py:30"]
    assert picture(other)["selected"] == "task:B"


def test_choosing_a_suspect_changes_the_page(api: FakeApi) -> None:
    api.show("mixed")
    test = page("verdict", focus="task:B")
    test.radio(key="suspect").set_value(CHANNEL).run()
    assert "CHANNEL FULL, SUSPECT" in texts(test)
    assert test.query_params["finding"] == CHANNEL
    assert "focus" not in test.query_params


def test_the_list_follows_when_another_one_becomes_the_worst(api: FakeApi) -> None:
    api.show("mixed")
    (worst, *rest) = api.world.findings
    api.world.findings[:] = rest
    test = page("verdict").run()
    before = test.radio(key="suspect").value
    api.world.findings[:] = [worst, *rest]
    test.run()
    assert (before, test.radio(key="suspect").value) == (rest[0]["id"], worst["id"])
    assert not test.exception


@pytest.mark.usefixtures("api")
def test_a_finding_that_ended_gives_way_to_the_worst() -> None:
    test = page("verdict", finding="deadlock:ffffffffffffffff")
    assert "DEADLOCK, PROVEN" in texts(test)


def test_pause_keeps_what_was_there(api: FakeApi) -> None:
    test = page("verdict")
    test.button(key="pause").click().run()
    before = texts(test)
    assert "Paused: the page stands still" in before
    assert "Paused at" in before
    asked = dict(api.requests)
    api.show("healthy")
    test.run()
    assert texts(test) == before
    assert api.requests == asked
    test.button(key="pause").click().run()
    assert "Nothing is stuck" in texts(test)


def test_nothing_is_stuck(api: FakeApi) -> None:
    api.show("silent")
    test = page("verdict")
    said = texts(test)
    assert said.startswith("Nothing is stuck: 12 tasks, 9 of them waiting")
    assert "billing (4720) has sent nothing for 12 s" in said
    assert column(test, "name")[0] == "main"


@pytest.mark.parametrize("name", ["verdict", "graph", "tables"])
def test_no_program_teaches_and_then_goes_on(api: FakeApi, name: str) -> None:
    api.show("none")
    test = page(name)
    assert texts(test).startswith("No program is connected")
    assert codes(test)[:2] == [
        "pip install peeps-otel peeps-otel-distro",
        "PEEPS_COLLECTOR_ENDPOINT=127.0.0.1:9119 opentelemetry-instrument --service_name my-service python app.py",
    ]
    api.show("deadlock")
    test.run()
    assert "No program is connected" not in texts(test)


def test_what_was_recorded_is_there_when_nobody_is_connected_any_more(api: FakeApi) -> None:
    api.show("none")
    assert texts(page("history")).startswith("The recorded history")
    assert "Whose code made others wait" in texts(page("slow"))


@pytest.mark.parametrize("name", ["verdict", "graph", "tables", "connect"])
def test_an_unreachable_collector(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("PEEPS_API", address)
    test = page(name)
    assert f"The collector does not answer: nothing listens at {address}." in texts(test)
    assert "peeps up" in codes(test)


@pytest.mark.usefixtures("api")
def test_the_graph_shows_what_is_stuck() -> None:
    test = page("graph")
    drawn = picture(test)
    assert [n["label"] for n in drawn["nodes"] if n["kind"] == "fold"] == ["+23 tasks wait"]
    assert drawn["selected"] == "task:A"
    assert "worker-a" in texts(test)
    everything = page("graph", stuck="false")
    assert len(picture(everything)["nodes"]) == 14


@pytest.mark.parametrize("name", ["graph", "tables", "slow"])
def test_a_page_says_at_its_top_which_finding_was_chosen(api: FakeApi, name: str) -> None:
    api.show("mixed")
    said = re.search(r"^DEADLOCK, PROVEN, .* sorders/jobs.py:45async with self.cache:", texts(page(name)), re.MULTILINE)
    assert said is not None
    assert re.search(
        r"^CHANNEL FULL, SUSPECT, .* sbilling/feed.py:22", texts(page(name, finding=CHANNEL)), re.MULTILINE
    )
    api.show("healthy")
    assert "Nothing is stuck" in texts(page(name)).split("\n")


def test_the_graph_of_a_finding_that_has_ended_is_what_was_kept_of_it(api: FakeApi) -> None:
    api.show("healthy")
    api.world.ended.append(DEADLOCK)
    test = page("graph", finding=DEADLOCK)
    assert "Ended (resolved) 20 s ago: DEADLOCK, PROVEN" in texts(test)
    assert "Who was in it when it ended" in texts(test)
    assert [node["label"] for node in picture(test)["nodes"]][:4] == ["worker-a", "Lock db", "worker-b", "Lock cache"]


@pytest.mark.usefixtures("api")
def test_what_was_chosen_goes_along_to_another_page_and_is_left_by_going_back() -> None:
    script = """
import streamlit as st
from peeps_dashboard.screens import chosen
chosen.arrive(st.session_state["on"])
st.text(chosen.wanted())
"""
    test = _app_test().from_string(script)

    def at(page: str, link: str) -> str:
        """What is shown there by this link, "" for one without a finding."""
        test.session_state["on"] = page
        test.query_params.clear()
        if link:
            test.query_params["finding"] = link
        return test.run().text[0].value

    assert at("graph", CHANNEL) == CHANNEL
    assert at("tables", "") == CHANNEL
    assert test.query_params["finding"] == CHANNEL
    assert at("tables", "") == CHANNEL  # the browser has not heard of it yet
    assert at("tables", DEADLOCK) == CHANNEL
    assert at("tables", CHANNEL) == CHANNEL
    assert at("tables", DEADLOCK) == DEADLOCK
    assert at("graph", CHANNEL) == CHANNEL
    assert not at("graph", "")


@pytest.mark.usefixtures("api")
def test_the_graph_around_a_node() -> None:
    test = page("graph", centre="lock:CACHE", focus="lock:CACHE", depth="1", unfold="lock:CACHE")
    assert {n["label"] for n in picture(test)["nodes"]} >= {"Lock cache", "worker-a", "worker-b", "request-27"}
    assert "request-00" not in {n["label"] for n in picture(test)["nodes"]}
    assert "holds" not in texts(test)
    assert "Lock cache" in texts(test)
    test.button(key="leave").click().run()
    assert "centre" not in test.query_params


@pytest.mark.usefixtures("api")
def test_search_draws_the_graph_around_what_was_found() -> None:
    test = page("graph")
    test.text_input(key="search").set_value("request-30").run()
    test.button(key="near-found-task:W30").click().run()
    assert not test.exception
    assert test.query_params["centre"] == "task:W30"
    assert picture(test)["selected"] == "task:W30"


@pytest.mark.usefixtures("api")
def test_a_filter_draws_what_it_holds_of_and_what_that_is_joined_to() -> None:
    test = page("graph", search="name=worker-a")
    assert not test.exception
    assert {n["label"] for n in picture(test)["nodes"]} == {"worker-a", "Lock cache", "Lock db", "main"}
    assert "With name=worker-a, and what is beside them" in texts(test)
    test.text_input(key="search").set_value("name=nobody").run()
    assert "Nothing alive passes name=nobody" in texts(test)
    test.text_input(key="search").set_value("colour:red").run()
    assert "there is no colour here" in texts(test)


@pytest.mark.usefixtures("api")
def test_edges_are_links() -> None:
    test = page("graph", focus="task:A")
    link = next(b for b in test.button if "Lock db" in b.label)
    link.click().run()
    assert test.query_params["focus"] == "lock:DB"
    assert "peeps.lock.locked" in texts(test)


def test_filters_of_the_graph(api: FakeApi) -> None:
    api.show("mixed")
    test = page("graph", stuck="false", process="billing (4720)", kind="task")
    assert test.multiselect(key="process").value == ["billing (4720)"]
    kinds = {n["kind"] for n in picture(test)["nodes"]}
    assert kinds == {"task"}


@pytest.mark.usefixtures("api")
def test_a_node_that_nobody_knows() -> None:
    assert "no node task:never was ever seen" in texts(page("graph", focus="task:never"))


@pytest.mark.usefixtures("api")
def test_the_table_of_tasks() -> None:
    test = page("tables")
    table: Any = test.dataframe[0].value
    assert list(table.columns) == ["state", "waits", "where", "alike", "name", "waits for", "process", "made at"]
    assert [column(test, name)[0] for name in ("alike", "state", "name", "where")] == [
        1,
        "■ stuck",
        "worker-a",
        "orders/service.py:31",
    ]
    assert "all 34, those alike put together in 4 rows" in texts(test)
    together = page("tables", focus="task:W00")
    together.button(key="open").click().run()
    assert together.text_input(key="q").value == 'site="orders/service.py:18" state="stuck"'
    assert len(together.dataframe[0].value) == 31
    assert "31 of 34" in texts(together)


def test_a_program_without_tasks_begins_with_its_threads(api: FakeApi) -> None:
    api.show("none")
    api.world.process(scenarios.ORDERS, "orders", 4711)
    api.world.node("thread:T", "MainThread", scenarios.ORDERS)
    assert page("tables").segmented_control(key="table").value == "threads"
    api.show("deadlock")
    assert page("tables").segmented_control(key="table").value == "tasks"


@pytest.mark.usefixtures("api")
def test_a_filter_is_kept_in_the_link_and_explains_itself() -> None:
    test = page("tables", q="waits>5s name:request-0", group="none")
    assert column(test, "name") == [f"request-{number:02}" for number in range(10)]
    assert "No tasks match the filter." in texts(page("tables", q="nothing like it"))
    assert "there is no wait here; did you mean waits?" in texts(page("tables", q="wait>30s"))


TABLES = [
    ("locks", "deadlock", "name", ["Lock db", "Lock cache"]),
    ("channels", "mixed", "end", ["in", "out"]),
    ("processes", "mixed", "process", ["gateway (4650)", "orders (4711)", "billing (4720)"]),
]


@pytest.mark.parametrize(("name", "scenario", "title", "values"), TABLES)
def test_a_table_of_each_kind(api: FakeApi, name: str, scenario: str, title: str, values: list[Any]) -> None:
    api.show(scenario)
    test = page("tables", table=name)
    texts(test)
    assert column(test, title) == values


def test_the_connect_page_lists_programs(api: FakeApi) -> None:
    api.show("mixed")
    test = page("connect")
    assert column(test, "state") == ["live", "live", "silent"]


def test_every_page_shows_the_moment_of_its_link(api: FakeApi) -> None:
    api.show("deadlock")
    at = str(api.world.now_ns + 57 * scenarios.S)
    for name in ("verdict", "graph", "tables", "history"):
        test = page(name, at=at)
        assert "As it was at " in texts(test)
        assert test.query_params["at"] == at
    assert "DEADLOCK, PROVEN, 1 min 40 s" in texts(page("verdict", at=at))
    test = page("verdict", at=at)
    test.button(key="step10").click().run()
    assert test.query_params["at"] == str(int(at) + 10 * scenarios.S)
    assert "DEADLOCK, PROVEN, 1 min 50 s" in texts(test)
    test.button(key="now").click().run()
    assert "at" not in test.query_params
    assert "As it was at " not in texts(test)


def test_the_history_leads_to_what_was_found(api: FakeApi) -> None:
    api.show("mixed")
    test = page("history")
    found = [button for button in test.button if (button.key or "").startswith("mark-")]
    assert [re.findall(r"[A-Z_]{6,}", button.label.replace("\\", ""))[0] for button in found] == [
        "DEADLOCK",
        "CHANNEL_FULL",
        "SEMAPHORE_STARVED",
    ]
    assert "Did not move" in texts(test)
    found[1].click().run()
    assert test.query_params["at"] == str(api.world.findings[1]["first_seen_ns"] + scenarios.S)
    assert test.query_params["finding"] == CHANNEL
    assert "As it was at " in texts(test)


def test_there_may_be_none(api: FakeApi) -> None:
    api.show("healthy")
    for name in ("requests", "pools", "threads", "executors", "connections"):
        assert f"There are no {name} now." in texts(page("tables", table=name))


@pytest.mark.parametrize("name", ["verdict", "graph", "tables"])
def test_hostile_names_are_only_text(api: FakeApi, name: str) -> None:
    api.show("hostile")
    test = page(name)
    said = texts(test)
    assert " ".join(scenarios.HOSTILE[:4]) in said
    for element in test.get("html"):
        assert "<img" not in element.proto.body
        assert "<b>bold" not in element.proto.body
        assert "<script" not in element.proto.body
    for button in test.button:
        assert "[a](java" not in button.label
        assert ":red[x]" not in button.label


@pytest.mark.usefixtures("api")
def test_the_script_itself_runs() -> None:
    from pathlib import Path

    import peeps_dashboard

    script = Path(peeps_dashboard.__file__).with_name("app.py")
    test = _app_test().from_file(str(script), default_timeout=60).run()
    assert "DEADLOCK, PROVEN" in texts(test)

# SPDX-License-Identifier: Apache-2.0
"""The graph around a node, a finding, or whatever waits."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..api import Node
from ..client import CollectorError
from ..components.waitgraph import waitgraph
from ..view import focus, verdict, words
from ..view.escaping import markdown
from . import connecting, details, html, live, moment_bar

_HEIGHT = 660
_SEARCHED = 3000
_KINDS = ("task", "thread", "lock", "semaphore", "event", "condition", "barrier", "tx", "rx", "future", "timer", "io")
_MORE_KINDS = ("executor", "command", "request", "response", "connection", "shm", "custom")


def route() -> StreamlitPage:
    return st.Page(page, title="Graph", icon=":material/account_tree:", url_path="graph")


def page() -> None:
    _body()


@st.fragment(run_every=2 * live.TICK_S, key="graph")
def _body() -> None:
    seen = live.look()
    if seen is None:
        return
    live.warnings(seen)
    moment_bar.bar()
    process_ids = {name: pid for pid, name in seen.names.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.container(width=350)
        chosen = st.multiselect(
            "Processes", list(process_ids), key="process", bind="query-params", placeholder="all", width=210
        )
        kinds = st.multiselect(
            "Kinds", [*_KINDS, *_MORE_KINDS], key="kind", bind="query-params", placeholder="all", width=170
        )
        depth = st.segmented_control(
            "Steps around", [1, 2, 3, 4], default=2, required=True, key="depth", bind="query-params"
        )
        only_stuck = st.toggle("Only stuck", value=True, key="stuck", bind="query-params")
        live.pause_button()
    selected, centre = st.query_params.get("focus"), st.query_params.get("centre")
    worst = verdict.chosen(seen.findings["findings"], st.query_params.get("finding"))
    finding = worst["id"] if worst and only_stuck and centre is None else None
    if selected is None and worst is not None:
        selected = verdict.principal(worst)  # the panel is never empty where something is stuck
    collector = live.collector()
    pids = [process_ids[name] for name in chosen if name in process_ids]
    unfold = st.query_params.get("unfold")
    view = repr((centre, finding, unfold, chosen, kinds, depth if centre else None))
    try:
        everything = live.cached_while_paused("search", lambda: collector.snapshot(limit=_SEARCHED))
        snapshot = live.cached_while_paused(
            "graph " + view,
            lambda: collector.snapshot(
                processes=pids,
                kinds=kinds,
                focus=centre,
                depth=depth if centre else None,
                finding=finding,
                limit=focus.LIMIT,
            ),
        )
    except CollectorError as error:
        connecting.unreachable(error)
        return
    with search:
        _search(everything["nodes"], seen)
    _scope(centre, finding, everything["nodes"])
    left, right = st.columns([7, 4], gap="medium")
    with left:
        picture = focus.of_snapshot(
            snapshot,
            seen.names,
            view=view,
            selected=selected,
            stuck=focus.stuck_ids(seen.findings["findings"]),
            keep=centre,
            unfold=unfold,
            cycle=worst["cycle"] if worst else (),
            height=_HEIGHT,
        )
        waitgraph(picture, key="graph-picture", on_pick=_select, on_focus=_centre)
    with right, st.container(height=_HEIGHT + 2, border=True):
        details.panel(selected, seen.names, on_pick=_select)
    html.caption("Click selects; double click, or f, draws the graph around a node. Nothing moves by itself.")


def _select(node: str) -> None:
    if node.startswith(focus.FOLD):
        st.query_params["unfold"] = node.removeprefix(focus.FOLD)
    else:
        st.query_params["focus"] = node


def _centre(node: str) -> None:
    if node.startswith(focus.FOLD):
        return
    st.query_params["focus"] = node
    st.query_params["centre"] = node


def _search(nodes: list[Node], seen: live.Look) -> None:
    by_id = {n["id"]: n for n in focus.search_order(nodes)}

    def go() -> None:
        node = st.session_state["search"]
        if node:
            _centre(node)

    st.selectbox(
        "Search",
        list(by_id),
        index=None,
        key="search",
        format_func=lambda i: focus.search_label(by_id[i], seen.names) if i in by_id else i,
        placeholder="Name, kind, process or file",
        icon=":material/search:",
        on_change=go,
    )


def _scope(centre: str | None, finding: str | None, nodes: list[Node]) -> None:
    """Says what part of the graph is drawn, and how to leave it."""
    if centre is None:
        html.heading(
            "What is stuck, and what waits behind it" if finding else "The live graph", "arrow = waits for, held by"
        )
        return

    def leave() -> None:
        st.query_params.pop("centre", None)
        st.session_state["search"] = None

    node = next((n for n in nodes if n["id"] == centre), None)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Around {markdown(words.label_of(node, centre))}", icon=":material/close:", key="leave", on_click=leave
        )

# SPDX-License-Identifier: Apache-2.0
"""The graph around a node, a finding, or whatever waits."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..api import Node, Snapshot
from ..client import CollectorError
from ..components.waitgraph import waitgraph
from ..view import focus, verdict, words
from ..view.escaping import markdown
from . import connecting, details, html, live, moment_bar

_HEIGHT = 660
_FOUND = 8
_HELP = (
    "Words find nodes by name, kind, process or file. A filter as the tables have it (`state:stuck waits>5s site:db.py "
    "-name:idle`) draws what passes it, and what is beside that."
)
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
        text = st.text_input(
            "Search",
            key="search",
            live=True,
            width=270,
            icon=":material/search:",
            placeholder="Name, or: waits>5s site:db.py",
            help=_HELP,
            bind="query-params",
        )
        chosen = st.multiselect(
            "Processes", list(process_ids), key="process", bind="query-params", placeholder="all", width=180
        )
        kinds = st.multiselect(
            "Kinds", [*_KINDS, *_MORE_KINDS], key="kind", bind="query-params", placeholder="all", width=140
        )
        depth = st.segmented_control(
            "Steps around", [1, 2, 3, 4], default=2, required=True, key="depth", bind="query-params"
        )
        only_stuck = st.toggle("Only stuck", value=True, key="stuck", bind="query-params")
        live.pause_button()
    selected, centre = st.query_params.get("focus"), st.query_params.get("centre")
    worst = verdict.chosen(seen.findings["findings"], st.query_params.get("finding"))
    words_of, filtered = focus.parted(text)
    finding = worst["id"] if worst and only_stuck and centre is None and filtered is None else None
    if selected is None and worst is not None:
        selected = verdict.principal(worst)  # the panel is never empty where something is stuck
    collector = live.collector()
    pids = [process_ids[name] for name in chosen if name in process_ids]
    unfold = st.query_params.get("unfold")
    view = repr((centre, finding, unfold, chosen, kinds, depth if centre else None, filtered))
    try:
        found = None if words_of is None else collector.snapshot(text=words_of, limit=_FOUND)
        snapshot = live.cached_while_paused(
            "graph " + view,
            lambda: collector.snapshot(
                processes=pids,
                kinds=kinds,
                focus=centre,
                depth=depth if centre else None,
                finding=finding,
                filtered=filtered,
                limit=focus.LIMIT,
            ),
        )
    except CollectorError as error:
        connecting.failed(error)
        return
    if found is not None:
        _search(found, seen)
    _scope(centre, finding, snapshot["nodes"], filtered)
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


def _search(found: Snapshot, seen: live.Look) -> None:
    """What the collector has found by these words, to draw the graph around."""
    if not found["nodes"]:
        html.caption("Nothing that is alive is called so.")
        return
    with st.container(gap=None):
        for node in focus.search_order(found["nodes"]):
            st.button(
                markdown(focus.search_label(node, seen.names)),
                key=f"near-found-{node['id']}",
                type="tertiary",
                icon=":material/arrow_forward:",
                on_click=_go,
                args=(node["id"],),
            )
    if found["total_nodes"] > len(found["nodes"]):
        html.caption(f"The first {len(found['nodes'])} of {found['total_nodes']:,}.")


def _go(node: str) -> None:
    st.session_state["search"] = ""
    _centre(node)


def _scope(centre: str | None, finding: str | None, nodes: list[Node], filtered: str | None) -> None:
    """Says what part of the graph is drawn, and how to leave it."""
    if centre is None:
        what = "What is stuck, and what waits behind it" if finding else "The live graph"
        if filtered is not None:
            what = f"With {filtered}, and what is beside them" if nodes else f"Nothing alive passes {filtered}"
        html.heading(what, "arrow = waits for, held by")
        return

    def leave() -> None:
        st.query_params.pop("centre", None)

    node = next((n for n in nodes if n["id"] == centre), None)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Around {markdown(words.label_of(node, centre))}", icon=":material/close:", key="leave", on_click=leave
        )

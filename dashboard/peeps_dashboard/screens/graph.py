# SPDX-License-Identifier: Apache-2.0
"""The graph around a node, a finding, or whatever waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..api import Finding, Snapshot
from ..client import CollectorError
from ..components.waitgraph import waitgraph
from ..view import focus, ring, verdict
from ..view.escaping import markdown
from ..view.picture import Picture
from . import chosen, connecting, details, html, live, moment_bar

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


@dataclass(frozen=True)
class _Asked:
    """Which part of the graph: at most `depth` steps around `centre`, the finding with the id `finding`, or what passes
    `filtered`; of all `processes` and `kinds` where there are none. `words`: what to search for. `unfold`: whose
    waiters are all drawn. None is nothing."""

    words: str | None
    filtered: str | None
    processes: Sequence[str]
    kinds: Sequence[str]
    centre: str | None
    depth: int | None
    finding: str | None
    unfold: str | None

    @property
    def view(self) -> str:
        """The same as long as the picture is of the same part."""
        return repr((self.centre, self.finding, self.unfold, self.processes, self.kinds, self.depth, self.filtered))


@st.fragment(run_every=2 * live.TICK_S, key="graph")
def _body() -> None:
    chosen.again()
    seen = live.look()
    if seen is None:
        return
    live.warnings(seen)
    moment_bar.bar()
    about = chosen.line(seen)
    asked = _controls(seen, about)
    selected = st.query_params.get("focus")
    if selected is None and about is not None:
        selected = verdict.principal(about)  # the panel is never empty where something is stuck
    try:
        found = None if asked.words is None else live.collector().snapshot(text=asked.words, limit=_FOUND)
        picture = _picture(asked, about, selected, seen)
    except CollectorError as error:
        connecting.failed(error)
        return
    if found is not None:
        _search(found, seen)
    _scope(asked, about, picture)
    with st.container(key="graph-parts"):
        left, right = st.columns([7, 4], gap="medium")
        with left:
            waitgraph(picture, key="graph-picture", on_pick=_select, on_focus=_centre)
        with right, st.container(height=_HEIGHT + 2, border=True):
            details.panel(selected, seen.names, on_pick=_select)
    html.caption("Click selects; double click, or f, draws the graph around a node. Nothing moves by itself.")


def _controls(seen: live.Look, about: Finding | None) -> _Asked:
    """On a phone they stand below the picture (static/page.css)."""
    process_ids = {name: pid for pid, name in seen.names.items()}
    with st.container(key="graph-controls", horizontal=True, vertical_alignment="bottom"):
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
        named = st.multiselect(
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
    centre = st.query_params.get("centre")
    searched, filtered = focus.parted(text)
    return _Asked(
        words=searched,
        filtered=filtered,
        processes=[process_ids[name] for name in named if name in process_ids],
        kinds=kinds,
        centre=centre,
        depth=depth if centre else None,
        finding=about["id"] if about and only_stuck and centre is None and filtered is None else None,
        unfold=st.query_params.get("unfold"),
    )


def _picture(asked: _Asked, about: Finding | None, selected: str | None, seen: live.Look) -> Picture:
    """Raises CollectorError. What has ended is in no graph any more: it is drawn by what was kept of it."""
    if asked.finding and about is not None and about["state"] != "open":
        kept = ring.of_finding(about, None, seen.names, selected=selected, height=_HEIGHT)
        return {**kept, "layout": "layered"}
    snapshot = live.cached_while_paused(
        "graph " + asked.view,
        lambda: live.collector().snapshot(
            processes=asked.processes,
            kinds=asked.kinds,
            focus=asked.centre,
            depth=asked.depth,
            finding=asked.finding,
            filtered=asked.filtered,
            limit=focus.LIMIT,
        ),
    )
    return focus.of_snapshot(
        snapshot,
        seen.names,
        view=asked.view,
        selected=selected,
        stuck=focus.stuck_ids(seen.findings["findings"]),
        keep=asked.centre,
        unfold=asked.unfold,
        cycle=about["cycle"] if about else (),
        height=_HEIGHT,
    )


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
    with st.container(key="graph-found", gap=None):
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


def _scope(asked: _Asked, about: Finding | None, picture: Picture) -> None:
    """Says what part of the graph is drawn, and how to leave it."""
    if asked.centre is None:
        html.heading(focus.head(asked.finding, about, asked.filtered, picture))
        return

    def leave() -> None:
        st.query_params.pop("centre", None)

    node = next((one for one in picture["nodes"] if one["id"] == asked.centre), None)
    label = node["label"] if node else asked.centre
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(f"Around {markdown(label)}", icon=":material/close:", key="leave", on_click=leave)

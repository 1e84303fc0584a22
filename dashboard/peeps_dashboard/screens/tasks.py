# SPDX-License-Identifier: Apache-2.0
"""All tasks and threads as a table; a selected row shows everything about it."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..client import Collector, CollectorError
from ..view import focus, tasks
from . import connecting, details, html, live, table

_LIMIT = 5000
_HEIGHT = 720
_ROW = 35
_STATES = ("stuck", "waiting", "running", "gone")
_SYMBOLS = {"stuck": "■", "waiting": "○", "running": "▸", "gone": "×"}


def route() -> StreamlitPage:
    return st.Page(page, title="Tasks", icon=":material/table_rows:", url_path="tasks")


def page() -> None:
    _body()


@st.fragment(run_every=2 * live.TICK_S, key="tasks")
def _body() -> None:
    seen = live.look()
    if seen is None:
        return
    live.warnings(seen)
    process_ids = {name: pid for pid, name in seen.names.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search",
            key="q",
            bind="query-params",
            live=True,
            width=380,
            icon=":material/search:",
            placeholder="Name, lock, file, process",
        )
        states = st.pills("State", _STATES, selection_mode="multi", key="state", bind="query-params")
        chosen = st.multiselect(
            "Processes", list(process_ids), key="process", bind="query-params", placeholder="all", width=260
        )
        live.pause_button()
    pids = [process_ids[name] for name in chosen if name in process_ids]
    try:
        snapshot = live.cached_while_paused(
            f"tasks {pids}", lambda: Collector.from_environment().snapshot(processes=pids, limit=_LIMIT)
        )
    except CollectorError as error:
        connecting.unreachable(error)
        return
    stuck = focus.stuck_ids(seen.findings["findings"])
    rows = tasks.rows(snapshot, seen.now_ns, seen.names, stuck=stuck, states=states, search=search)
    left, right = st.columns([7, 4], gap="medium")
    selected = st.query_params.get("focus") or (rows[0].id if rows else None)
    with left:
        _table(rows, selected)
        html.caption(tasks.summary(rows, snapshot))
    with right, st.container(height=_HEIGHT, border=True):
        details.panel(selected, seen.names, on_pick=_pick)


def _pick(node: str) -> None:
    st.query_params["focus"] = node


def _table(rows: list[tasks.Row], focused: str | None) -> None:
    if not rows:
        html.empty("No task matches.")
        return
    ids = [r.id for r in rows]
    row = ids.index(focused) if focused in ids else None
    # A row is selected by its number: where the chosen task gets another one, it is a new table with that selected.
    key = f"table-{st.query_params.get('focus')}-{row}"

    def choose(picked: int | None) -> None:
        if picked is None:
            st.query_params.pop("focus", None)
        else:
            _pick(ids[picked])

    table.choosable(
        {
            "state": [f"{_SYMBOLS[r.state]} {r.state}" for r in rows],
            "name": [r.name for r in rows],
            "waits for": [r.waits_for for r in rows],
            "for": [r.seconds for r in rows],
            "where": [r.where for r in rows],
            "process": [r.process for r in rows],
            "source": [r.source for r in rows],
        },
        key=key,
        height=min(_HEIGHT, _ROW * (len(rows) + 1) + 3),
        selected=row,
        on_choose=choose,
        column_config={"for": st.column_config.NumberColumn("for", format="%.1f s")},
        alt="Tasks and threads: state, what each waits for, for how long, and where",
    )

# SPDX-License-Identifier: Apache-2.0
"""The recorded history: what was found when, a way to any second of it, and what differs between two of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..client import CollectorError
from ..view import history, processes
from ..view.escaping import markdown
from . import chosen, connecting, html, live, moment_bar

_S = 1_000_000_000
_MARKS = 12
_ROWS = 100
_SPANS = {"10 s": 10, "1 min": 60, "10 min": 600, "1 h": 3600}


def route() -> StreamlitPage:
    return st.Page(page, title="History", icon=":material/history:", url_path="history")


def page() -> None:
    _body()


@st.fragment(run_every=2 * live.TICK_S, key="history")
def _body() -> None:
    chosen.again()
    seen = live.look(at_what_was=True)
    if seen is None:
        return
    moment_bar.bar()
    try:
        answer = live.collector().timeline()
        if not answer["changes"] and not answer["findings"] and not processes.watched(seen.processes):
            connecting.teach(seen.processes)
            return
        shown = history.of_timeline(answer, live.zone())
    except CollectorError as error:
        connecting.unreachable(error)
        return
    html.heading("The recorded history", "how much moved, and what was found; drag to see the pages as they were then")
    at_ns = live.moment()
    html.time_line(shown, None if at_ns is None else (at_ns - shown.from_ns) / max(shown.to_ns - shown.from_ns, 1))
    _scrubber(shown, at_ns)
    _save()
    _marks(shown)
    _difference(at_ns, seen)


def _scrubber(shown: history.History, at_ns: int | None) -> None:
    zone = live.zone() or UTC

    def moment_of(ns: int) -> datetime:
        return datetime.fromtimestamp(ns // _S, zone)

    # A minute as it began: with every second another range, the slider would be another one under the hand.
    first, last = moment_of(shown.from_ns), moment_of(shown.to_ns // (60 * _S) * 60 * _S + 60 * _S)
    key = f"scrub-{first.timestamp():.0f}-{last.timestamp():.0f}-{at_ns}"

    def choose() -> None:
        chosen = int(st.session_state[key].timestamp()) * _S
        live.go_to(chosen if chosen < shown.to_ns else None)

    value = last if at_ns is None else min(max(moment_of(at_ns), first), last)
    step = timedelta(seconds=1)
    st.slider(
        "Moment",
        first,
        last,
        value,
        step=step,
        format="HH:mm:ss",
        key=key,
        on_change=choose,
        label_visibility="collapsed",
    )


def _save() -> None:
    st.download_button(
        "Save the recording",
        data=lambda: live.collector().recording(),
        file_name="peeps-recording.duckdb",
        key="save",
        icon=":material/download:",
        help="All that is recorded, as one file; `peeps open FILE` shows it anywhere, without the programs.",
    )


def _marks(shown: history.History) -> None:
    if not shown.marks:
        html.caption("Nothing was found stuck in this time.")
        return
    html.heading("Found", f"{len(shown.marks):,}; one leads to its moment")
    with st.container(gap=None):
        for number, mark in enumerate(shown.marks[:_MARKS]):
            st.button(
                markdown(mark.title),
                key=f"mark-{number}-{mark.id}",
                type="tertiary",
                icon=":material/schedule:",
                on_click=_go,
                args=(mark.id, mark.jump_ns),
            )
    if len(shown.marks) > _MARKS:
        html.caption(f"and {len(shown.marks) - _MARKS:,} more; `peeps findings` lists them all")


def _go(finding: str, at_ns: int) -> None:
    chosen.choose(finding)
    live.go_to(at_ns)


def _difference(at_ns: int | None, seen: live.Look) -> None:
    to_ns = seen.now_ns if at_ns is None else at_ns
    with st.container(horizontal=True, vertical_alignment="center"):
        html.heading("What moved, and what did not", "against the moment before:")
        span = st.segmented_control(
            "Against the moment before",
            list(_SPANS),
            default="10 s",
            required=True,
            key="before",
            bind="query-params",
            label_visibility="collapsed",
        )
    from_ns = to_ns - _SPANS[span] * _S
    try:
        answer = live.cached_while_paused(
            f"difference {span}", lambda: live.collector().difference(from_ns, to_ns, _ROWS)
        )
    except CollectorError as error:
        html.notice(error.message, "orange")
        return
    for title, count, columns in history.of_difference(answer, seen.names):
        if count:
            html.heading(title, f"{count:,}" + (f", the first {_ROWS}" if count > _ROWS else ""))
            html.table(columns, alt=f"{title} between the two moments")

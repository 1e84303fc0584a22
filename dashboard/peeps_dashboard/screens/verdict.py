# SPDX-License-Identifier: Apache-2.0
"""The landing page: the verdict, its ring, both stacks, and all suspects."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..api import Finding, Snapshot
from ..client import CollectorError
from ..components.waitgraph import waitgraph
from ..view import calm, ring, suspects, verdict, waiter_holder
from ..view.escaping import markdown
from . import chosen, html, live, moment_bar, place_of_card

_RING_HEIGHT = 345
_LONGEST = 12
_LOOKED_AT = 500
_UNANSWERED = "age>5s"


def route() -> StreamlitPage:
    return st.Page(page, title="Verdict", icon=":material/gavel:", url_path="verdict", default=True)


def page() -> None:
    _body()


@st.fragment(run_every=live.TICK_S, key="verdict")
def _body() -> None:
    place_of_card.slot()
    chosen.again()
    seen = live.look(with_headline=not place_of_card.is_in_front())
    if seen is None:
        return
    place_of_card.drawn(seen, chosen.over(seen), chosen.wanted())
    live.pause_notice(seen)
    moment_bar.bar()
    findings = seen.findings["findings"]
    finding = chosen.finding(seen)
    if finding is None:
        _numbers(verdict.calm_numbers(seen.findings["calm"], seen.processes), seen)
        _where_to_look(seen)
        by_itself = "This page changes by itself as soon as something is stuck."
        html.caption(f"No suspects. {by_itself}" if live.moment() is None else "No suspects at that moment.")
        return
    if len(suspects.ranked(findings)) < 2:
        _picture(finding, seen)
    else:
        left, right = st.columns([5, 3], gap="medium")
        with left:
            _picture(finding, seen)
        with right:
            _suspects(seen, finding)
    _sides(finding, seen)


def _numbers(pairs: verdict.Numbers, seen: live.Look) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        html.numbers([*pairs, live.freshness(seen)])
        live.pause_button()


def _picture(finding: Finding, seen: live.Look) -> None:
    picture = ring.of_finding(
        finding,
        live.cached_while_paused("around " + finding["id"], lambda: _around(finding)),
        seen.names,
        selected=st.query_params.get("focus"),
        height=_RING_HEIGHT,
    )
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        what = "The ring" if picture["cycle"] else "Who waits for whom"
        html.heading(what, "arrow = waits for; click a task to see its stack")
        live.pause_button()
    waitgraph(picture, key="ring", on_pick=_focus)


def _around(finding: Finding) -> Snapshot | None:
    """Which of the blocked waits for what. The picture can do without it."""
    try:
        return live.collector().snapshot(finding=finding["id"], limit=1000)
    except CollectorError:
        return None


def _focus(node: str) -> None:
    if not node.startswith("fold-"):
        st.query_params["focus"] = node


def _suspects(seen: live.Look, finding: Finding) -> None:
    listed = suspects.ranked(seen.findings["findings"])
    by_id = {s.id: s for s in listed}
    ids = list(by_id)

    def choose() -> None:
        if st.session_state["suspect"] is None:
            return
        chosen.choose(st.session_state["suspect"])

    # Who has chosen nothing sees the worst one, which may be another one than a second ago: the list must say so.
    shown = finding["id"] if finding["id"] in by_id else None
    if st.session_state.get("suspect") != shown:
        st.session_state["suspect"] = shown
    html.heading("Suspects, worst first", f"{len(listed)} found · j, k: next, previous")
    with st.container(height=_RING_HEIGHT + 2, border=True):
        st.radio(
            "Suspects, worst first",
            ids,
            index=None,
            key="suspect",
            format_func=lambda i: f":{by_id[i].tone}[**{by_id[i].head}**] {markdown(by_id[i].title)}",
            captions=[markdown(s.facts) for s in listed],
            on_change=choose,
            label_visibility="collapsed",
            width="stretch",
        )


def _sides(finding: Finding, seen: live.Look) -> None:
    link = waiter_holder.link_at(finding, st.query_params.get("focus"))
    if link is None:
        return
    for column, shown in zip(
        st.columns(2, gap="medium"), waiter_holder.of_link(link, finding, seen.names), strict=True
    ):
        with column.container(border=True, height="stretch", gap="small"):
            html.side(shown)
            if shown.open_at:
                with st.container(horizontal=True, vertical_alignment="center", wrap=False):
                    html.where(shown.line_word)
                    html.code(shown.open_at)
            if shown.stack:
                html.stack(shown.stack)


def _where_to_look(seen: live.Look) -> None:
    """The evidence of calm: requests that are not answered, and the waits that lasted longest."""
    try:
        snapshot = live.cached_while_paused("longest", lambda: live.collector().snapshot(limit=_LOOKED_AT))
        asked = live.cached_while_paused(
            "unanswered", lambda: live.collector().rows("requests", query=_UNANSWERED, group="site", limit=_LONGEST)
        )
    except CollectorError:
        return
    waits = calm.longest(snapshot, seen.now_ns, seen.names, _LONGEST)
    if requests := calm.table_of_requests(asked, waits):
        html.heading("Requests that are not answered", f"{asked['matched']:,}, for more than 5 s")
        html.table(requests, alt="Requests that are not answered")
    if waits:
        html.heading("Longest waits", "none of them was found stuck")
        html.table(calm.table_of_waits(waits), alt="The longest waits")

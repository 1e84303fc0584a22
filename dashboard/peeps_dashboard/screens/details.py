# SPDX-License-Identifier: Apache-2.0
"""The panel about one node, on the graph page and on the tasks page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from ..client import CollectorError
from ..view import details, words
from ..view.escaping import markdown
from . import html, live, verdict

_SHOWN_NEIGHBOURS = 12


def panel(node_id: str | None, names: dict[str, str], *, on_pick: Callable[[str], None]) -> None:
    if node_id is None:
        html.empty("Select a node to see what it is, what it waits for, and its stack.")
        return
    try:
        answer = live.cached_while_paused("node " + node_id, lambda: live.collector().node(node_id))
    except CollectorError as error:
        html.notice(f"{node_id}: {error.message}", "orange")
        return
    shown = details.of_answer(answer, names)
    html.heading(shown.name, " · ".join(filter(None, (shown.kind, shown.state))))
    for finding_id, head in shown.findings:
        link = {"finding": finding_id}
        st.page_link(verdict.route(), label=f"Part of: {markdown(head)}", icon=":material/gavel:", query_params=link)
    if shown.trace_url:
        st.page_link(shown.trace_url, label="Its trace", icon=":material/arrow_forward:")
    html.facts(shown.facts)
    if shown.stack:
        html.code(shown.stack.open_at)
        html.stack(shown.stack)
    if shown.neighbours:
        html.heading("Edges", words.count(len(shown.neighbours), "neighbour"))
        with st.container(gap=None):
            _neighbours(shown.neighbours[:_SHOWN_NEIGHBOURS], on_pick)
        if len(shown.neighbours) > _SHOWN_NEIGHBOURS:
            html.caption(f"and {len(shown.neighbours) - _SHOWN_NEIGHBOURS} more")
    with st.expander("Attributes"):
        html.facts(shown.attributes)
    if shown.history:
        with st.expander("What changed"):
            html.facts(shown.history)


def _neighbours(neighbours: Sequence[details.Neighbour], on_pick: Callable[[str], None]) -> None:
    for i, near in enumerate(neighbours):
        st.button(
            f"{near.relation} **{markdown(near.name)}** :gray[{markdown(near.kind)}]",
            key=f"near-{i}-{near.relation}-{near.id}",
            type="tertiary",
            icon=":material/arrow_forward:",
            on_click=on_pick,
            args=(near.id,),
        )

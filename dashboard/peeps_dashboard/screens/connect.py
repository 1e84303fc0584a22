# SPDX-License-Identifier: Apache-2.0
"""How to connect a program, and which ones are connected."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..client import Collector, CollectorError
from ..view import processes
from . import connecting, html, live


def route() -> StreamlitPage:
    return st.Page(page, title="Connect", icon=":material/cable:", url_path="connect")


def page() -> None:
    left, right = st.columns([6, 5], gap="large")
    with left:
        html.heading("Connect a program")
        connecting.instructions()
    with right:
        _connected()


@st.fragment(run_every=2 * live.TICK_S, key="connected")
def _connected() -> None:
    try:
        answer = Collector.from_environment().processes()
    except CollectorError as error:
        connecting.unreachable(error)
        return
    rows = processes.table(answer["processes"])
    html.heading("Connected programs", f"{len(rows)}")
    if rows:
        html.table({name: [row[name] for row in rows] for name in rows[0]}, alt="Programs known to the collector")
    else:
        html.empty("None yet. The first one appears here, and on the verdict page, by itself.")

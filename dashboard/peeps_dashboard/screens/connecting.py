# SPDX-License-Identifier: Apache-2.0
"""What is shown while there is nothing to show: how to start the collector, how to connect a program."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ..api import Process
from ..client import Collector, CollectorError
from ..view import connect
from . import html


def unreachable(error: CollectorError, with_headline: bool = True) -> None:
    if with_headline:
        html.headline(connect.unreachable(error.address, error.message, error.trouble))
    st.write("Start it, in another terminal:")
    html.code("peeps up")
    st.write("Or, where it listens somewhere else, start the explorer with its address:")
    html.code("PEEPS_API=127.0.0.1:9130 peeps-dashboard")
    html.caption("This page keeps trying and goes on by itself as soon as the collector answers.")


def failed(error: CollectorError) -> None:
    """Of a question that came after others were answered: why it was refused, or that nobody answers any more."""
    if error.trouble == "refused":
        html.notice(error.message, "orange")
    else:
        unreachable(error)


def teach(processes: Sequence[Process], with_headline: bool = True) -> None:
    if with_headline:
        html.headline(connect.nobody(processes))
    instructions()
    html.caption("This page notices the first program by itself and goes on to the verdict.")


def instructions() -> None:
    try:
        listen = Collector.from_environment().health().get("listen")
    except CollectorError:
        listen = None
    with st.container(border=True):
        html.heading("1. Install it beside your program", "no compiler, no database, no Streamlit comes with it")
        html.code(connect.INSTALL)
        html.caption("Leave peeps-otel-distro out where another OpenTelemetry distro is installed.")
        html.heading("2. Start your program under it", "no line of it changes")
        html.code(connect.start(connect.push_address(listen)))
        html.heading("Already under another OpenTelemetry SDK, in any language?", "send its OTLP here as well")
        html.code(connect.endpoint(connect.push_address(listen)))

# SPDX-License-Identifier: Apache-2.0
"""The finding that all pages are about: the one of the link, else the worst one."""

from __future__ import annotations

import os

import streamlit as st

from .. import ended
from ..api import Finding
from ..view import editor, strip, verdict
from . import html, live


def arrive(page: str) -> None:
    """To be called before a page is run as a whole: what was chosen goes along to another page."""
    _look(goes_along=st.session_state.get("page") != page)
    st.session_state["page"], st.session_state["finding_is_read"] = page, True


def again() -> None:
    """To be called where a page begins to be drawn, which it is again and again."""
    if not st.session_state.pop("finding_is_read", False):
        _look(goes_along=False)


def _look(*, goes_along: bool) -> None:
    """Who goes back to a link without the finding, or with another one, on the same page, has left it. A browser that
    has not heard of it yet sends such a link, too."""
    asked, kept = st.query_params.get("finding", ""), wanted()
    is_before = not asked if goes_along else not st.session_state.get("finding_is_told")
    if kept and asked != kept and is_before:
        st.query_params["finding"], st.session_state["finding_is_told"] = kept, False
    else:
        st.session_state["finding"], st.session_state["finding_is_told"] = asked, True


def wanted() -> str:
    """The id of the finding that was chosen; empty where the worst one is shown. It stands in the link."""
    return st.session_state.get("finding", "")


def choose(finding: str) -> None:
    """Makes all pages about that one."""
    st.session_state["finding"] = st.query_params["finding"] = finding
    st.session_state["finding_is_told"], st.session_state["finding_is_read"] = False, True
    st.query_params.pop("focus", None)


def over(seen: live.Look) -> Finding | None:
    """The chosen one where it is open no more."""
    asked = wanted()
    return live.cached_while_paused(f"over {asked}", lambda: ended.over(live.collector(), seen.findings, asked))


def finding(seen: live.Look) -> Finding | None:
    """None where nothing is stuck and nothing was chosen."""
    return over(seen) or verdict.chosen(seen.findings["findings"], wanted())


def line(seen: live.Look) -> Finding | None:
    """One line at the top of a page that is not the verdict: which finding it is about, and its line. Gives it."""
    about, at_ns = finding(seen), live.moment()
    shown = strip.of_calm(seen.findings) if about is None else strip.of_finding(about, seen.processes)
    asked = {"finding": about["id"] if about else "", "at": "" if at_ns is None else str(at_ns)}
    html.strip(shown, editor.from_environment(os.environ), html.address("", asked))
    return about

# SPDX-License-Identifier: Apache-2.0
"""Why something is slow: whose code made others wait, flame graphs, histograms over time, how full things were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..client import CollectorError
from ..view import ages, blame, curves, flame, heat
from . import charts, chosen, connecting, html, live, moment_bar

_SPANS = {60: "1 min", 600: "10 min", 3600: "1 h", 6 * 3600: "6 h"}
_PAGE = 12
_VIEWS = {
    "blame": ("Blame", "Whose code made others wait: each wait is charged to the code that had what was wanted."),
    "both": (
        "Both sides",
        "Time that tasks and threads waited. From above: who waited, what for, then, turned over, who had it.",
    ),
    "tasks": ("Tasks", "Where tasks spent their time waiting, by the calls that led there."),
    "threads": ("Threads", "Where the looks found threads, about one look a second."),
    "cpu": ("CPU", "Which calls used a processor, where a look found the thread at work."),
    "waits": ("Waits", "How long waits took, over time: the darker, the more of them ended then."),
    "lag": ("Loop lag", "How late event loops were, over time: the longest lag of each report of a loop."),
    "depths": ("Depth", "How full queues, pools and semaphores were, over time. Those that were full come first."),
}
_NOTHING = {
    "lag": "No lag of an event loop was reported in this time. Programs report it with their metrics: "
    "OTEL_METRICS_EXPORTER must not be none.",
    "depths": "No queue, pool or semaphore had anything in it in this time.",
    "threads": "No look at a thread is stored of this time.",
    "cpu": "No look at a thread is stored of this time.",
}


@dataclass(frozen=True)
class _Asked:
    """What the page is about. `processes`: ids, all where there are none."""

    view: str
    since_s: int
    processes: Sequence[str]
    names: dict[str, str]

    def ends(self, answer: Mapping[str, Any]) -> tuple[str, str]:
        zone = live.zone()
        return ages.clock(answer["since_ns"], zone), ages.clock(answer["until_ns"], zone)


def route() -> StreamlitPage:
    return st.Page(page, title="Why slow", icon=":material/local_fire_department:", url_path="slow")


def page() -> None:
    _body()


@st.fragment(key="slow")
def _body() -> None:
    """Does not run by itself: a picture of the last minutes is to be read in peace, and has its price."""
    chosen.again()
    seen = live.look(at_what_was=True)
    if seen is None:
        return
    live.warnings(seen)
    moment_bar.bar(plays=False)
    chosen.line(seen)
    view = _choice("Chart", "chart", {key: title for key, (title, _) in _VIEWS.items()}, "blame", label="collapsed")
    ids = {name: process for process, name in seen.names.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        since_s = int(_choice("The last", "since", {str(key): title for key, title in _SPANS.items()}, "600"))
        named = st.multiselect("Processes", list(ids), key="process", bind="query-params", placeholder="all", width=260)
        st.button("Look again", icon=":material/refresh:", key="again")
    asked = _Asked(view, since_s, [ids[name] for name in named if name in ids], seen.names)
    title, says = _VIEWS[view]
    html.heading(title, says)
    try:
        with st.spinner("Adding up the history …"):
            _DRAW[view](asked)
    except CollectorError as error:
        connecting.failed(error)


def _choice(
    title: str, key: str, choices: dict[str, str], default: str, label: Literal["visible", "collapsed"] = "visible"
) -> str:
    """One of several, kept in the link by its key."""
    asked = st.query_params.get(key, default)

    def keep() -> None:
        st.query_params[key] = st.session_state[key]
        st.query_params.pop("from", None)

    return st.segmented_control(
        title,
        list(choices),
        default=asked if asked in choices else default,
        required=True,
        key=key,
        format_func=choices.__getitem__,
        on_change=keep,
        label_visibility=label,
    )


def _blame(asked: _Asked) -> None:
    answer = live.cached_while_paused(f"blame {asked}", lambda: live.collector().blame(asked.since_s, asked.processes))
    if not answer["rows"]:
        html.empty(f"Nobody made others wait in the last {_SPANS[asked.since_s]}.")
        return
    html.table(blame.table(answer), shares=("share",), alt="Whose code made others wait, most first")
    html.caption(f"{ages.amount(answer['total_ns'])} of waiting in {answer['waits']:,} waits.")
    _profiles(asked)


def _profiles(asked: _Asked) -> None:
    with st.container(horizontal=True):
        for form, title in (("speedscope", "Save for speedscope.app"), ("pprof", "Save for pprof")):
            st.download_button(
                title,
                data=lambda form=form: live.collector().blame_file(asked.since_s, form, asked.processes),
                file_name=f"peeps-blame.{'pb.gz' if form == 'pprof' else 'speedscope.json'}",
                key=f"save-{form}",
                icon=":material/download:",
            )


def _flame(asked: _Asked) -> None:
    of = "blame" if asked.view == "both" else asked.view
    answer = live.cached_while_paused(
        f"flame {asked}", lambda: live.collector().flame(of, asked.since_s, asked.processes)
    )
    if not answer["boxes"]:
        html.empty(_NOTHING.get(asked.view, f"Nothing waited in the last {_SPANS[asked.since_s]}."))
        return
    drawn = flame.of_answer(answer)
    charts.flame_graph(drawn, _VIEWS[asked.view][0])
    html.caption(f"{drawn.note}. A click makes a box as wide as the picture; Esc shows all of it again.")
    html.heading("Where the time itself was spent", "most first")
    html.table(flame.heaviest(answer), shares=("share",), alt="Places by the time spent in them, most first")
    if asked.view == "both":
        _profiles(asked)


def _heat(asked: _Asked) -> None:
    answer = live.cached_while_paused(
        f"heat {asked}", lambda: live.collector().heat(asked.view, asked.since_s, asked.processes)
    )
    if not answer["cells"]:
        html.empty(_NOTHING.get(asked.view, f"No wait ended in the last {_SPANS[asked.since_s]}."))
        return
    charts.heat_map(heat.of_answer(answer, live.zone()), asked.ends(answer))
    html.table(heat.table(answer), alt="How many took how long, the longest first")


def _depths(asked: _Asked) -> None:
    text = st.query_params.get("from", "")
    first = int(text) if text.isdecimal() and len(text) < 7 else 0
    answer = live.cached_while_paused(
        f"depths {asked} {first}", lambda: live.collector().depths(asked.since_s, asked.processes, first, _PAGE)
    )
    drawn = curves.of_answer(answer, asked.names)
    if not drawn:
        html.empty(_NOTHING["depths"])
        return
    for number, one in enumerate(drawn):
        charts.curve(one, asked.ends(answer) if number == len(drawn) - 1 else None)
    if answer["total"] <= _PAGE:
        return

    def go(to: int) -> None:
        st.query_params["from"] = str(to)

    html.caption(f"{first + 1:,} to {first + len(drawn):,} of {answer['total']:,}")
    with st.container(horizontal=True):
        st.button("Fuller ones", on_click=go, args=(max(first - _PAGE, 0),), disabled=first == 0, key="earlier")
        end = first + _PAGE >= answer["total"]
        st.button("Emptier ones", on_click=go, args=(first + _PAGE,), disabled=end, key="further")


_DRAW = {
    "blame": _blame,
    **dict.fromkeys(("both", "tasks", "threads", "cpu"), _flame),
    **dict.fromkeys(("waits", "lag"), _heat),
    "depths": _depths,
}

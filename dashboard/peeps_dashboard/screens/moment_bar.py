# SPDX-License-Identifier: Apache-2.0
"""Which earlier moment the page shows, and the way to another one: a step, playing, back to now."""

from __future__ import annotations

import time

import streamlit as st

from .. import recorded
from ..view import ages
from . import html, live

_S = 1_000_000_000
_TO_THE_END = "To the end of the recording"
_STEPS = (-60, -10, -1, 1, 10, 60)
_SPEEDS = (1, 10, 60)
_LONGEST_STEP_S = 5.0


def bar(*, plays: bool = True) -> None:
    """Nothing where the page shows what is now. `plays`: the page runs again by itself, so that it can be played."""
    at_ns = live.moment()
    if at_ns is None:
        return
    at_ns = _played(at_ns) if plays else at_ns
    ago_s = max(time.time_ns() - at_ns, 0) / _S
    at = ages.clock(at_ns, live.zone())
    html.notice(f"As it was at {at}, {ages.span(ago_s)} ago. What is stuck is told with what is known now.", "blue")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _TO_THE_END if recorded.until() else "Back to now",
            icon=":material/update:",
            on_click=live.go_to,
            args=(None,),
            key="now",
        )
        for step in _STEPS:
            title = f"{step:+d} s" if abs(step) < 60 else f"{step // 60:+d} min"
            st.button(title, on_click=live.go_to, args=(at_ns + step * _S,), key=f"step{step}")
        if plays:
            _player()


def _player() -> None:
    playing = bool(st.session_state.get("playing", False))

    def flip() -> None:
        st.session_state["playing"], st.session_state["played_at"] = not playing, time.monotonic()

    label, icon = ("Stop", ":material/stop:") if playing else ("Play", ":material/play_arrow:")
    st.button(label, icon=icon, key="play", on_click=flip)
    st.segmented_control(
        "Speed",
        _SPEEDS,
        default=10,
        required=True,
        key="speed",
        format_func=lambda one: f"{one}×",
        label_visibility="collapsed",
    )


def _played(at_ns: int) -> int:
    """Goes on by what has passed since the last run, as fast as is asked for; the next run shows it. Stops at now."""
    if not st.session_state.get("playing", False):
        return at_ns
    now_s = time.monotonic()
    passed_s = min(now_s - st.session_state.get("played_at", now_s), _LONGEST_STEP_S)
    st.session_state["played_at"] = now_s
    next_ns = at_ns + int(passed_s * st.session_state.get("speed", 10) * _S)
    live.go_to(next_ns if next_ns < time.time_ns() else None)
    return at_ns

# SPDX-License-Identifier: Apache-2.0
"""The graph of who waits for whom: an SVG drawn by our own component (TypeScript in src/, built file in dist/)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import streamlit as st
from streamlit.components.v2 import component

from ...view.picture import Picture

# "<distribution>.<component>", as declared in the package's own pyproject.toml, which Streamlit looks for.
_NAME = "peeps-dashboard.waitgraph"


def waitgraph(
    picture: Picture, *, key: str, on_pick: Callable[[str], None], on_focus: Callable[[str], None] | None = None
) -> None:
    """`on_pick`: a node was clicked. `on_focus`: it was double-clicked (or the key f was pressed)."""

    def answer(trigger: str, act: Callable[[str], None]) -> None:
        state = cast("dict[str, Any]", st.session_state.get(key) or {})
        node = state.get(trigger)
        if isinstance(node, str):
            act(node)

    # Declared on each run: a registration belongs to the server's runtime, and tests start several in one process.
    mount = component(_NAME, js="waitgraph.js")
    mount(
        key=key,
        data=dict(picture),
        height=picture["height"] + 2,
        on_picked_change=lambda: answer("picked", on_pick),
        on_focus_change=lambda: answer("focus", on_focus or on_pick),
    )

# SPDX-License-Identifier: Apache-2.0
"""Where the verdict card stands on a page.

In front of Streamlit the card is there before the page is, and is kept up to date without it (front/, static/early.js):
then the page only says where it belongs. Without that, the page draws it.
"""

from __future__ import annotations

import os

import streamlit as st

from ..api import Finding
from ..launch import IN_FRONT
from ..view import card, card_html, editor
from . import live


def is_in_front() -> bool:
    return os.environ.get(IN_FRONT) == "1"


def slot() -> None:
    """To be called first on each run: it never changes but for the pause, so the card in it is not touched."""
    if is_in_front():
        st.html(f'<div class="pp-slot"{" data-paused" if live.paused() else ""}></div>')


def drawn(seen: live.Look, over: Finding | None, wanted: str) -> None:
    """The card by Streamlit, where nobody else does it."""
    if not is_in_front():
        shown = card.of_answer(seen.findings, seen.processes, wanted, over)
        st.html(card_html.of_card(shown, editor.from_environment(os.environ)))

# SPDX-License-Identifier: Apache-2.0
"""Names come from other programs and must appear as they are, in Markdown labels and in HTML alike."""

from __future__ import annotations

import html
import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# With the characters that turn the direction of a text: a name could feign what stands beside it.
_CONTROL = re.compile("[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
# Replaced after parsing, so that a backslash does not help: `:smile:`, `:material/x:`, arrows, dashes, `https://…`.
_LATE = re.compile(r"(\\[:.<>=~/@-])(?=\\?[\w:<>=~/@-])")
_WORD_JOINER = "\u2060"


def markdown(text: str) -> str:
    """`text` so that Streamlit's Markdown shows exactly it: every ASCII punctuation mark escaped."""
    escaped = _PUNCTUATION.sub(r"\\\1", _CONTROL.sub(" ", text))
    return _LATE.sub(rf"\1{_WORD_JOINER}", escaped)


def markup(text: str) -> str:
    """`text` as HTML text or attribute value."""
    return html.escape(_CONTROL.sub(" ", text), quote=True)

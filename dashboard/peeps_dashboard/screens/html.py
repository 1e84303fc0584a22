# SPDX-License-Identifier: Apache-2.0
"""HTML blocks. Every text from outside goes through `markup`; Streamlit sanitises the result once more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlencode

import streamlit as st

from ..view import card_html, words
from ..view.columns import Columns
from ..view.editor import Editor
from ..view.escaping import markup
from ..view.history import History
from ..view.stacks import Line, Stack
from ..view.strip import Strip
from ..view.verdict import Headline, Numbers
from ..view.waiter_holder import Side
from ..view.words import Tone

_SHORT = 24
"""Characters of a cell that is one line also on a phone."""


def headline(head: Headline) -> None:
    note = f"<p>{markup(head.note)}</p>" if head.note else ""
    sentence = f"<h1><strong>{markup(head.lead)}:</strong> {markup(head.rest)}</h1>"
    st.html(f'<div class="pp pp-verdict pp-{head.tone}">{sentence}{note}</div>')


def numbers(pairs: Numbers) -> None:
    cells = "".join(
        f'<div><span class="k">{markup(k)}</span><span class="v">{markup(v)}</span></div>' for k, v in pairs
    )
    st.html(f'<div class="pp pp-numbers">{cells}</div>')


def notice(text: str, tone: Tone) -> None:
    st.html(f'<div class="pp pp-notice pp-{tone}" role="status">{markup(text)}</div>')


def strip(shown: Strip, editor: Editor, link: str) -> None:
    """`link` leads to the verdict."""
    place = f"<span>{card_html.place(shown.place, shown.shown, editor)}</span>" if shown.place else ""
    line = f"<code>{markup(shown.line)}</code>" if shown.line else ""
    where = f"<small>in {markup(shown.where)}</small>" if shown.where else ""
    lead = f'<a href="{markup(link)}">{markup(shown.lead)}</a>'
    st.html(f'<div class="pp pp-strip pp-{shown.tone}">{lead}{place}{line}{where}</div>')


def heading(text: str, small: str = "") -> None:
    st.html(
        f'<div class="pp pp-heading" role="heading" aria-level="2">{markup(text)}<small>{markup(small)}</small></div>'
    )


def caption(text: str) -> None:
    st.html(f'<div class="pp pp-caption">{markup(text)}</div>')


def pages(known: Sequence[tuple[str, str]]) -> None:
    """Links to all pages, for a phone (static/page.css), that take finding and moment along (static/early.js); a button
    that copies the address with the moment, and one that goes from theme to theme (static/theme.js)."""
    links = "".join(f'<a href="/{path}">{markup(title)}</a>' for path, title in known)
    title = "Copy a link to this page as it is now"
    copy = f'<button type="button" data-link title="{title}">copy link</button>'
    theme = '<button type="button" data-switch-theme title="Light, dark, or as the system has it">theme</button>'
    st.html(
        f'<nav class="pp pp-nav" aria-label="Pages">{links}{theme}</nav><div class="pp pp-corner">{theme}{copy}</div>'
    )


def address(path: str, query: Mapping[str, str]) -> str:
    """Of a page, with what is not empty of `query`."""
    asked = urlencode({key: value for key, value in query.items() if value})
    return f"/{path}?{asked}" if asked else f"/{path}"


def code(text: str) -> None:
    """A command or a place, with a button that copies it (static/early.js)."""
    st.html(
        f'<div class="pp pp-code"><code>{markup(text)}</code>'
        f'<button type="button" data-copy="{markup(text)}" aria-label="Copy {markup(text)}">copy</button></div>'
    )


def table(columns: Columns, *, alt: str, shares: Collection[str] = ()) -> None:
    """Plain HTML: Streamlit's own table is 300 kB of scripts and a canvas that no screen reader can read. `shares`:
    columns of parts of 1, which get a bar."""
    heads = "".join(f'<th scope="col">{markup(name)}</th>' for name in columns)
    rows = "".join(
        f"<tr>{''.join(_cell(value, name in shares) for name, value in zip(columns, values, strict=True))}</tr>"
        for values in zip(*columns.values(), strict=True)
    )
    st.html(
        f'<div class="pp pp-table" role="region" tabindex="0" aria-label="{markup(alt)}"><table><thead><tr>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(value: str | float | None, is_share: bool) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, str):
        short = ' class="s"' if len(value) <= _SHORT else ""
        return f"<td{short}>{markup(value)}</td>"
    if is_share:
        return f'<td class="n"><i style="width:{min(max(value, 0.0), 1.0):.1%}"></i><span>{value:.0%}</span></td>'
    return f'<td class="n">{value:,}</td>'


def empty(text: str) -> None:
    st.html(f'<div class="pp pp-empty">{markup(text)}</div>')


def side(shown: Side) -> None:
    st.html(
        f'<div class="pp pp-side"><span class="role">{shown.role}</span><strong>{markup(shown.who)}</strong> '
        f"{markup(shown.does)} <small>{markup(shown.process)}</small></div>"
    )


def where(word: str) -> None:
    """What happens on the line that stands beside it."""
    st.html(f'<div class="pp pp-caption">{markup(word)}</div>', width="content")


def stack(shown: Stack) -> None:
    own = "".join(_line(line) for line in shown.own)
    library = "".join(_line(line) for line in shown.library)
    folded = ""
    if library:
        number = words.count(len(shown.library), "library frame")
        folded = f"<details><summary>{number}</summary><ol>{library}</ol></details>"
    st.html(f'<div class="pp pp-stack"><ol>{own}</ol>{folded}</div>')


def time_line(shown: History, at: float | None) -> None:
    """Bars of what moved, marks of what was found under them, and a line where the page is. Read out it is the list of
    findings that stands below."""
    bars = "".join(
        f'<i style="left:{one.left:.2%};width:{one.width:.2%};height:{max(one.height, 0.02):.0%}"></i>'
        for one in shown.bars
    )
    marks = "".join(
        f'<b class="pp-{one.tone}" style="left:{one.left:.2%};width:{one.width:.2%}" title="{markup(one.title)}"></b>'
        for one in reversed(shown.marks)  # the worst is drawn last, over the others
    )
    here = "" if at is None else f'<u style="left:{min(max(at, 0.0), 1.0):.2%}"></u>'
    st.html(f'<div class="pp pp-time" aria-hidden="true"><div>{bars}</div><div>{marks}</div>{here}</div>')


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    rows = "".join(f"<dt>{markup(k)}</dt><dd>{markup(v)}</dd>" for k, v in pairs)
    st.html(f'<dl class="pp pp-facts">{rows}</dl>')


def _line(line: Line) -> str:
    here = ' class="here" aria-current="true"' if line.marked else ""
    text = f'<span class="t">{markup(line.text)}</span>' if line.text else ""
    return f'<li{here}><code>{markup(line.place)}</code><span class="f">{markup(line.function)}</span>{text}</li>'

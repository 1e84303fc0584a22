# SPDX-License-Identifier: Apache-2.0
"""The card as HTML: no script, no attribute that runs. Every text is another program's and passes through `markup`."""

from __future__ import annotations

import re
from urllib.parse import quote

from .card import Card, Side
from .editor import Editor
from .escaping import markup
from .source_rows import Row

_CODE = re.compile(r"`([^`]+)`")


def of_card(card: Card, editor: Editor) -> str:
    about = f' data-finding="{markup(card.id)}"' if card.id else ""
    head = f"<h1><strong>{markup(card.lead)}:</strong> {markup(card.rest)}</h1>"
    return (
        f'<section class="pc pp-verdict pc-{card.tone}" aria-label="Verdict"{about}>{head}{_below(card, editor)}'
        + (f'<div class="pc-sides">{"".join(_side(s, editor) for s in card.sides)}</div>' if card.sides else "")
        + _others(card, editor)
        + _also(card)
        + (f'<p class="pc-unknown">{markup(card.unknown)}</p>' if card.unknown else "")
        + (f'<p class="pc-note">{markup(card.certainty)}</p>' if card.certainty else "")
        + _more(card)
        + _ended(card)
        + "</section>"
    )


def _below(card: Card, editor: Editor) -> str:
    """The line below the sentence: what to open, where it is, how old that is, and the copy for a ticket."""
    parts: list[str] = []
    if card.open_at:
        line = f' <code class="pc-line">{markup(card.open_line)}</code>' if card.open_line else ""
        parts.append(f"<b>Open</b> {place(card.open_at, card.open_shown, editor)}{line}")
    if card.where:
        parts.append(f"<span>in {markup(card.where)}</span>")
    if card.also:
        parts.append(f'<a href="#pc-also">{len(card.also) + card.more} more found</a>')
    if card.trace_url:
        title = f"The trace of the stuck request: {card.trace}"
        parts.append(f'<a href="{markup(card.trace_url)}" title="{markup(title)}">trace</a>')
    if card.fresh:
        parts.append(f'<span class="pc-fresh">{markup(card.fresh)}</span>')
    if card.text:
        parts.append(_copy(card.text, "copy as text", "Copy as text: the whole finding", " data-ticket"))
    return f'<p class="pc-below">{"".join(parts)}</p>' if parts else ""


def _side(side: Side, editor: Editor) -> str:
    who = f"<p><b>{markup(side.who)}</b> {markup(side.does)}</p>" if side.who else ""
    function = f"<span>in {markup(side.function)}</span>" if side.function else ""
    line = ""
    if side.place:
        copy = _copy(side.place, "copy", "Copy the path and line")
        line = f'<p class="pc-open">{place(side.place, side.shown, editor)}{function}{copy}</p>'
    rows = f"<ol>{''.join(_row(row) for row in side.rows)}</ol>" if side.rows else ""
    return f"<article>{who}{line}{rows}{_way(side, editor)}</article>"


def _way(side: Side, editor: Editor) -> str:
    """From where he came there."""
    steps = "".join(
        f"<li>from {place(one.place, one.shown, editor)} in {markup(one.function)} <code>{markup(one.line)}</code></li>"
        for one in side.callers
    )
    return f"<ul>{steps}</ul>" if steps else ""


def _others(card: Card, editor: Editor) -> str:
    if not card.others:
        return ""
    rows = "".join(
        f"<li><b>{markup(one.who)}</b> {markup(one.does)} {place(one.place, one.shown, editor)}"
        + (f" <code>{markup(one.line)}</code>" if one.line else "")
        + "</li>"
        for one in card.others
    )
    return f'<ul class="pc-others" aria-label="Also in the ring">{rows}</ul>'


def _also(card: Card) -> str:
    """A link loads the page anew; where the list of suspects is on it, static/early.js chooses there."""
    if not card.also:
        return ""
    found = "".join(
        f'<li><a class="pc-{one.tone}" href="?finding={quote(one.id)}" data-suspect="{one.number}">'
        f"{markup(one.head)}</a>"
        + (f" <code>{markup(one.shown)}</code>" if one.shown else "")
        + f" {markup(f'in {one.where}')}</li>"
        for one in card.also
    )
    rest = f"<li>and {card.more:,} more</li>" if card.more else ""
    return f'<ul class="pc-also" id="pc-also" aria-label="Also found"><li><b>Also found</b></li>{found}{rest}</ul>'


def _row(row: Row) -> str:
    note = f"<em>{markup(row.note)}</em>" if row.note else ""
    kind = f' class="{row.mark}"' if row.mark else ""
    return f"<li{kind}><i>{row.number or ''}</i><code>{markup(row.text)}</code>{note}</li>"


def place(at: str, shown: str, editor: Editor) -> str:
    """`at`: `path:line`; a link where an editor opens it."""
    link = editor.link(at)
    code = f"<code>{markup(shown or at)}</code>"
    return f'<a href="{markup(link)}" title="{markup(at)}">{code}</a>' if link else code


def _copy(text: str, word: str, label: str, kind: str = "") -> str:
    """`kind`: one more attribute, by which static/early.js tells what is copied with it."""
    return f'<button type="button"{kind} data-copy="{_whole(text)}" aria-label="{label}">{word}</button>'


def _whole(text: str) -> str:
    """As `markup`, with its lines."""
    return "&#10;".join(markup(line) for line in text.split("\n"))


def _prose(text: str) -> str:
    """Words in backticks are code."""
    return _CODE.sub(r"<code>\1</code>", markup(text))


def _more(card: Card) -> str:
    facts = "".join(f"<div><dt>{markup(name)}</dt><dd>{_prose(text)}</dd></div>" for name, text in card.facts)
    sites = "".join(f"<li><b>{count:,}</b> at <code>{markup(place)}</code></li>" for count, place in card.sites)
    behind = f"<div><p>{markup(card.behind)}</p>{f'<ul>{sites}</ul>' if sites else ''}</div>" if card.behind else ""
    if not facts and not behind:
        return ""
    return f'<div class="pc-more">{f"<dl>{facts}</dl>" if facts else ""}{behind}</div>'


def _ended(card: Card) -> str:
    if not card.ended:
        return ""
    rows = "".join(f"<li><b>{markup(head)}</b>: {markup(title)}</li>" for head, title in card.ended)
    return f'<details class="pc-ended"><summary>Ended: {len(card.ended)}</summary><ul>{rows}</ul></details>'

# SPDX-License-Identifier: Apache-2.0
"""Charts as HTML: boxes and areas placed by parts of the width. Nothing is fetched for them. Each page that draws one
says the same beside it in a table, for who cannot see it; static/early.js lets a flame graph be zoomed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ..view import curves, flame, heat
from ..view.escaping import markup

_ROW = 20
_HEAT_ROW = 22


def flame_graph(drawn: flame.Drawn, name: str) -> None:
    """A click makes a box as wide as the picture, the arrows go from one to the next, Esc shows all of it."""
    boxes = "".join(
        f'<button class="s{one.side}" data-at="{one.left:.6f} {one.width:.6f} {one.depth}" '
        f'style="left:{one.left:.4%};width:{one.width:.4%};top:{one.depth * _ROW}px" '
        f'title="{markup(one.title)}" tabindex="{0 if number == 0 else -1}">{markup(one.text)}</button>'
        for number, one in enumerate(drawn.boxes)
    )
    st.html(
        f'<div class="pp pp-flame" role="group" aria-label="{markup(name)}" style="height:{drawn.depth * _ROW}px">'
        f"{boxes}</div>"
    )


def heat_map(drawn: heat.Drawn, ends: tuple[str, str]) -> None:
    cells = "".join(
        f'<i style="left:{one.left:.3%};width:{one.width:.3%};bottom:{one.bottom:.3%};height:{one.height:.3%};'
        f'opacity:{0.15 + 0.85 * one.strength:.2f}" title="{markup(one.title)}"></i>'
        for one in drawn.cells
    )
    rows = "".join(f"<span>{markup(text)}</span>" for text in reversed(drawn.rows))
    st.html(
        f'<div class="pp pp-heat" aria-hidden="true"><div class="y" style="height:{len(drawn.rows) * _HEAT_ROW}px">'
        f'{rows}</div><div class="c">{cells}</div>{_ends(ends)}</div>'
    )


def curve(drawn: curves.Drawn, ends: tuple[str, str] | None) -> None:
    """`ends`: the times at both ends, under the last of several."""
    polygon = ", ".join(f"{x:.2%} {y:.1%}" for x, y in drawn.corners)
    tone = "orange" if drawn.is_full else "blue"
    st.html(
        f'<div class="pp pp-curve pp-{tone}"><p><strong>{markup(drawn.label)}</strong> {markup(drawn.says)} '
        f'<small>{markup(drawn.where)}</small></p><div aria-hidden="true"><i style="clip-path:polygon({polygon})"></i>'
        f"</div>{_ends(ends) if ends else ''}</div>"
    )


def _ends(ends: Sequence[str]) -> str:
    first, last = ends
    return f'<div class="x"><span>{markup(first)}</span><span>{markup(last)}</span></div>'

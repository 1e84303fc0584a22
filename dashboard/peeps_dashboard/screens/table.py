# SPDX-License-Identifier: Apache-2.0
"""The one place where a table with rows to choose is drawn: Streamlit's signature names pandas types without stubs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import streamlit as st

from ..view.columns import Columns


def choosable(
    columns: Columns,
    *,
    key: str,
    height: int,
    selected: int | None,
    on_choose: Callable[[int | None], None],
    column_config: Mapping[str, Any],
    alt: str,
) -> None:
    """A table of which one row can be selected; `on_choose` gets its number, or None."""

    def choose() -> None:
        state = cast("dict[str, dict[str, list[int]]]", st.session_state[key])
        rows = state["selection"]["rows"]
        on_choose(rows[0] if rows else None)

    st.dataframe(  # pyright: ignore[reportUnknownMemberType]  # Streamlit leaves parts of its types open
        dict(columns),
        key=key,
        height=height,
        hide_index=True,
        placeholder="",
        on_select=choose,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [] if selected is None else [selected]}},
        column_config=column_config,
        alt=alt,
    )

# SPDX-License-Identifier: Apache-2.0
"""Tasks, requests, locks, channels, pools, threads, executors, connections and processes as tables."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ..api import Rows
from ..client import CollectorError
from ..view import rows
from . import chosen, connecting, details, html, live, moment_bar, table

NAMES = {
    "tasks": "Tasks",
    "requests": "Requests",
    "locks": "Locks",
    "channels": "Channels",
    "pools": "Pools",
    "threads": "Threads",
    "executors": "Executors",
    "connections": "Connections",
    "processes": "Processes",
}
_PAGE = 200
_HEIGHT = 640
_ROW = 35
# What is long and seldom read whole leaves room for where it is.
_WIDTHS = {"name": 130, "waits for": 180, "where": 175}
_HINT = "state:stuck waits>5s site:db.py -name:idle"
_HELP = (
    "Words that must all hold. `key:text` has the text in it, `key=text` is it; `>` `>=` `<` `<=` compare numbers, "
    "times (`5s`, `10m`) and shares (`80%`); `a,b` is one of both; `-` before a word: not; a word alone "
    "stands anywhere. The keys are the columns': "
)


def route() -> StreamlitPage:
    return st.Page(page, title="Tables", icon=":material/table_rows:", url_path="tables")


def page() -> None:
    _body()


def _begins_with(seen: live.Look) -> str:
    """The table that has something to show, in a program without tasks too; the same while the page is open."""
    has_tasks = any(process.get("tasks") for process in seen.processes)
    return st.session_state.setdefault("first_table", "tasks" if has_tasks else "threads")


@st.fragment(run_every=2 * live.TICK_S, key="tables")
def _body() -> None:
    chosen.again()
    seen = live.look()
    if seen is None:
        return
    live.warnings(seen)
    moment_bar.bar()
    chosen.line(seen)
    asked = st.query_params.get("table", "")
    name = st.segmented_control(
        "Table",
        list(NAMES),
        default=asked if asked in NAMES else _begins_with(seen),
        required=True,
        key="table",
        format_func=NAMES.__getitem__,
        label_visibility="collapsed",
        on_change=_another,
    )
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    with controls:
        query = st.text_input(
            "Filter", key="q", bind="query-params", live=True, width=430, icon=":material/search:", placeholder=_HINT
        )
    try:
        answer = _asked(name, query)
    except CollectorError as error:
        connecting.failed(error)
        return
    with controls:
        _group(answer)
        _more(answer, query)
        live.pause_button()
    left, right = st.columns([8, 4], gap="medium")
    drawn = rows.of_answer(answer, seen.now_ns)
    selected = st.query_params.get("focus")
    number = drawn.ids.index(selected) if selected in drawn.ids else 0 if drawn.ids and selected is None else None
    with left:
        _table(answer, drawn, number)
        html.caption(rows.summary(answer, _first()))
        _pages(answer)
    with right, st.container(height=_HEIGHT, border=True):
        _about(answer, drawn, number, query, seen)


def _asked(name: str, query: str) -> Rows:
    group, first = st.query_params.get("group"), _first()
    return live.cached_while_paused(
        f"rows {name} {query} {group} {first}",
        lambda: live.collector().rows(name, query=query, group=group, offset=first, limit=_PAGE),
    )


def _first() -> int:
    text = st.query_params.get("from", "")
    return int(text) if text.isdecimal() and len(text) < 8 else 0


def _another() -> None:
    """What was chosen of one table means nothing in another."""
    st.query_params["table"] = st.session_state["table"]
    for key in ("group", "focus", "from"):
        st.query_params.pop(key, None)


def _group(answer: Rows) -> None:
    choices = rows.groups(answer)

    def choose() -> None:
        st.query_params["group"] = st.session_state[key]
        st.query_params.pop("from", None)

    key = f"group-{answer['table']}-{answer['group']}"
    st.selectbox(
        "Put together by",
        list(choices),
        index=list(choices).index(answer["group"]) if answer["group"] in choices else 0,
        key=key,
        format_func=choices.__getitem__,
        on_change=choose,
        width=150,
    )


def _more(answer: Rows, query: str) -> None:
    """What the filter understands, and the table as a file."""
    with st.popover("More", icon=":material/more_horiz:"):
        st.markdown(_HELP + ", ".join(f"`{column['key']}`" for column in answer["columns"]) + ".")
        for form, title in (("csv", "Save as CSV"), ("parquet", "Save as Parquet")):
            name = answer["table"]
            st.download_button(
                title,
                data=lambda name=name, form=form: live.collector().rows_file(name, form, query=query),
                file_name=f"peeps-{name}.{form}",
                key=f"save-{form}",
                icon=":material/download:",
            )


def _table(answer: Rows, drawn: rows.Drawn, number: int | None) -> None:
    title = NAMES[answer["table"]]
    if not drawn.ids:
        html.empty(f"No {title.lower()} match the filter." if answer["total"] else f"There are no {title.lower()} now.")
        return

    def choose(picked: int | None) -> None:
        if picked is None:
            st.query_params.pop("focus", None)
        else:
            _pick(drawn.ids[picked])

    # A row is selected by its number: where the chosen one gets another one, it is a new table with that selected.
    table.choosable(
        drawn.columns,
        key=f"rows-{answer['table']}-{st.query_params.get('focus')}-{number}",
        height=min(_HEIGHT, _ROW * (len(drawn.ids) + 1) + 3),
        selected=number,
        on_choose=choose,
        column_config={title: _config(title, look) for title, look in drawn.looks.items()},
        alt=f"{title}, those that matter first",
    )


def _config(title: str, look: rows.Look) -> Any:
    match look:
        case "seconds":
            return st.column_config.NumberColumn(title, format="%.1f s")
        case "bar":
            return st.column_config.ProgressColumn(title, format="percent", min_value=0.0, max_value=1.0)
        case "text":
            return st.column_config.TextColumn(title, width=_WIDTHS.get(title))
        case "percent":
            return st.column_config.NumberColumn(title, format="percent")
        case _:
            return st.column_config.NumberColumn(title)


def _pages(answer: Rows) -> None:
    first, lines = _first(), answer["lines"]
    if lines <= _PAGE:
        return

    def go(to: int) -> None:
        st.query_params["from"] = str(to)

    with st.container(horizontal=True):
        st.button("Earlier rows", on_click=go, args=(max(first - _PAGE, 0),), disabled=first == 0, key="earlier")
        st.button("Further rows", on_click=go, args=(first + _PAGE,), disabled=first + _PAGE >= lines, key="further")


def _pick(node: str) -> None:
    st.query_params["focus"] = node


def _about(answer: Rows, drawn: rows.Drawn, number: int | None, query: str, seen: live.Look) -> None:
    """What is selected: a process by its cells, everything else as a node, a group also by who is in it."""
    row = None if number is None else answer["rows"][number]
    if row is not None and answer["table"] == "processes":
        html.heading(seen.names.get(row["id"], row["id"]))
        html.facts(_facts(answer, row["id"]))
        return
    if row is not None and row["members"]:

        def open_group(members: str = row["members"]) -> None:
            st.session_state["q"] = rows.joined(query, members)
            st.query_params["group"] = "none"
            st.query_params.pop("from", None)

        st.button(f"Show all {row['count']:,} alike", icon=":material/unfold_more:", on_click=open_group, key="open")
        html.caption("The first of them:")
    details.panel(drawn.ids[number] if number is not None else st.query_params.get("focus"), seen.names, on_pick=_pick)


def _facts(answer: Rows, row_id: str) -> list[tuple[str, str]]:
    row = next(one for one in answer["rows"] if one["id"] == row_id)
    titles = {column["key"]: column["title"] for column in answer["columns"]}
    facts: list[tuple[str, str]] = []
    for key, value in row["cells"].items():
        text = row["words"].get(key, f"{value:.2%}" if isinstance(value, float) else str(value))
        facts.append((titles[key], text))
    return [*facts, ("id", row_id)]

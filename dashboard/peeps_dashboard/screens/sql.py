# SPDX-License-Identifier: Apache-2.0
"""Questions to the database: those with a name, own statements, and their answers as table or chart."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from ..api_sql import Query, Result
from ..client import CollectorError
from ..view import processes, results
from . import charts, connecting, html, live, moment_bar

_HEIGHT = 640
_ROWS, _FILE_ROWS = 500, 10_000
_LINK_MOST = 4_000
"""Characters of a statement that still stand in the link."""
_FIRST = "blockers"
_LIMITS = (
    "Statements only read, in a process of their own: at most 5 s, 10,000 rows and 16 MiB. $1 is the moment that the "
    "page shows (ns since 1970), $2 a list of process ids, empty for all; both may be left out."
)
_TABLES = """SELECT table_name,
       string_agg(column_name || ' ' || lower(data_type), ', ' ORDER BY ordinal_position) AS columns
FROM information_schema.columns WHERE table_schema = 'main' GROUP BY table_name ORDER BY table_name"""


def route() -> StreamlitPage:
    return st.Page(page, title="SQL", icon=":material/database:", url_path="sql")


def page() -> None:
    _body()


@st.fragment(key="sql")
def _body() -> None:
    """Does not run by itself: an answer is to be read in peace."""
    moment_bar.bar(plays=False)
    try:
        known = live.collector().queries()
    except CollectorError as error:
        connecting.unreachable(error)
        return
    by_name = {query["name"]: query for query in known}
    own = st.query_params.get("sql") or st.session_state.get("own", "")
    named = by_name.get(st.query_params.get("query", ""))
    if named is None and not own:
        named = by_name[_FIRST]
    left, right = st.columns([8, 4], gap="medium")
    with left:
        _choice(by_name, named, own)
        statement = own or (named or by_name[_FIRST])["sql"]
        _statement(statement, named)
        controls = st.container(horizontal=True, vertical_alignment="bottom")
        with controls:
            _keep(statement, named)
        _answered(statement, None if own else named, controls)
    with right, st.container(height=_HEIGHT, border=True):
        _schema()


def _choice(by_name: dict[str, Query], named: Query | None, own: str) -> None:
    names = list(by_name)
    name = None if own or named is None else named["name"]
    # A widget of its own for each choice: what is chosen may also come from the link, or by saving.
    key = f"choice-{name}"

    def choose() -> None:
        if (chosen := st.session_state[key]) is not None:
            st.query_params["query"] = chosen
        st.query_params.pop("sql", None)
        st.session_state["own"] = ""

    st.selectbox(
        "Question",
        names,
        index=None if name is None else names.index(name),
        key=key,
        placeholder="your own statement",
        format_func=lambda one: f"{one}: {by_name[one]['text']}" if by_name[one]["text"] else f"{one} (saved)",
        on_change=choose,
    )


def _statement(statement: str, named: Query | None) -> None:
    key = f"statement-{hash(statement)}"

    def run() -> None:
        given = str(st.session_state[key]).strip()
        st.session_state["own"] = ""
        st.query_params.pop("sql", None)
        if named is not None and given == named["sql"].strip():
            return
        st.query_params.pop("query", None)
        if len(given) <= _LINK_MOST:
            st.query_params["sql"] = given
        st.session_state["own"] = given

    with st.form("statement", border=False):
        st.text_area("Statement", statement.strip(), key=key, height=150, help=_LIMITS)
        st.form_submit_button("Run", icon=":material/play_arrow:", on_click=run)


def _keep(statement: str, named: Query | None) -> None:
    """Saves a statement under a name, or deletes what was saved."""
    saved = named if named is not None and named["saved"] else None
    key = f"keep-{named['name'] if named else ''}"

    def save() -> None:
        name = st.session_state[f"{key}-name"]
        _change(lambda: live.collector().save_query(name, st.session_state[f"{key}-text"], statement), name)

    with st.popover("Save", icon=":material/bookmark_add:", key=key):
        with st.form("save", border=False):
            st.text_input("Name", saved["name"] if saved else "", max_chars=64, key=f"{key}-name")
            st.text_input("What it answers", saved["text"] if saved else "", max_chars=200, key=f"{key}-text")
            st.form_submit_button("Save the statement", on_click=save)
        if saved is not None:
            name = saved["name"]

            def delete() -> None:
                _change(lambda: live.collector().delete_query(name), _FIRST)

            st.button(f"Delete {name}", icon=":material/delete:", on_click=delete)
    if refused := st.session_state.pop("refused", ""):
        html.notice(refused, "orange")


def _change(change: Callable[[], None], then: str) -> None:
    """Makes it, and opens the query `then`; or leaves what to say of why not."""
    try:
        change()
    except CollectorError as error:
        st.session_state["refused"] = error.message
        return
    st.query_params["query"] = then
    st.query_params.pop("sql", None)
    st.session_state["own"] = ""


def _answered(statement: str, named: Query | None, controls: DeltaGenerator) -> None:
    asked = live.collector()

    def ask(rows: int) -> Result:
        return asked.sql(statement, rows) if named is None else asked.query(named["name"], rows)

    try:
        with st.spinner("Asking the database …"):
            answer = ask(_ROWS)
    except CollectorError as error:
        connecting.failed(error)
        return
    if not answer["rows"]:
        html.empty("The answer has no rows.")
        return
    with controls:
        shape = st.segmented_control(
            "Show as", ["Table", "Chart"], default="Table", required=True, key="shape", label_visibility="collapsed"
        )
        st.download_button(
            "Save as CSV",
            data=lambda: results.as_csv(ask(_FILE_ROWS)),
            file_name=f"peeps-{named['name'] if named else 'statement'}.csv",
            key="save-csv",
            icon=":material/download:",
        )
    if shape == "Chart":
        _chart(answer)
    else:
        html.table(results.table(answer, _names(), live.zone()), alt="The answer")
    rows = f"{len(answer['rows']):,} row{'' if len(answer['rows']) == 1 else 's'}"
    html.caption(rows + (", more are left out; the file has up to 10,000" if answer["truncated"] else ""))


def _chart(answer: Result) -> None:
    labels, numbers = results.labels(answer), results.numbers(answer)
    if not labels or not numbers:
        html.empty("A chart needs a column of texts or times, and one of numbers.")
        return
    with st.container(horizontal=True):
        label = st.selectbox("By", labels, key="chart-by", width=220)
        number = st.selectbox("Drawn", numbers, key="chart-of", width=220)
    if results.is_time(answer, label):
        drawn = results.over_time(answer, label, number, live.zone())
        if drawn is None:
            html.empty("A chart over time needs two moments.")
            return
        charts.curve(*drawn)
        return
    bars, share = results.bars(answer, label, number, _names())
    html.table(bars, shares=(share,), alt=f"{number} by {label}, the largest first")


def _names() -> dict[str, str]:
    """Processes by id: a person knows them by service and pid."""
    return processes.names(live.cached_while_paused("processes", live.collector().processes)["processes"])


def _schema() -> None:
    html.heading("Tables", "and their columns")
    if "schema" not in st.session_state:  # the tables stay as they are: one statement for a visit
        try:
            st.session_state["schema"] = live.collector().sql(_TABLES, 200)["rows"]
        except CollectorError as error:
            html.caption(error.message)
            return
    html.facts([(str(name), str(columns)) for name, columns in st.session_state["schema"]])

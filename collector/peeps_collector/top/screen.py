# SPDX-License-Identifier: Apache-2.0
"""The application, by Textual: the verdict above, a tab for each table, and all about one row on Enter."""

from __future__ import annotations

from typing import ClassVar, cast

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Static, TabbedContent, TabPane

from peeps_otel.report.finding_text import FindingText
from peeps_otel.report.style import PLAIN

from ..cli.client import Client, ClientError
from ..cli.show import node_lines
from .tables import TABLES, Picture, Table, taken

_EVERY_S = 1.0
_SURE = ("PROVEN", "LIKELY")


class Details(ModalScreen[None]):
    """All about one finding or thing, as `peeps show` prints it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "Back")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Text(self._text))
        yield Footer()


class Top(App[None]):
    """`process`: only this one."""

    CSS = """
    #verdict { height: auto; max-height: 4; padding: 0 1; text-style: bold; }
    #verdict.sure { background: $error; color: $text; }
    #verdict.unsure { background: $warning; color: $text; }
    TabbedContent { height: 1fr; }
    DataTable { height: 1fr; }
    Details { background: $surface; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"tab('{name}')", name, show=False) for number, name in enumerate(TABLES, 1)),
        Binding("1", "tab('Findings')", "1-5 tables"),
        Binding("enter", "details", "All about it", show=True),
        Binding("p", "pause", "Pause"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, client: Client, process: str | None = None) -> None:
        super().__init__()
        self._client, self._process = client, process
        self._paused = False
        self._picture: Picture | None = None

    def compose(self) -> ComposeResult:
        yield Static("Asking the collector …", id="verdict")
        with TabbedContent(id="tabs"):
            for name in TABLES:
                with TabPane(name, id=name):
                    yield DataTable[Text](id=f"table-{name}", cursor_type="row", zebra_stripes=False)
        yield Footer()

    def on_mount(self) -> None:
        self.set_interval(_EVERY_S, self._tick)
        self._tick()

    def _tick(self) -> None:
        if not self._paused:
            self._ask()

    @work(thread=True, exclusive=True, group="ask")
    def _ask(self) -> None:
        try:
            picture = taken(self._client, self._process)
        except ClientError as error:
            self.call_from_thread(self._say, str(error), "unsure")
            return
        self.call_from_thread(self._show, picture)

    def _say(self, text: str, kind: str) -> None:
        verdict = self.query_one("#verdict", Static)
        verdict.update(Text(text))
        verdict.set_classes(kind)

    def _show(self, picture: Picture) -> None:
        self._picture = picture
        self._say(picture.sentence, "sure" if picture.level in _SURE else "unsure" if picture.level else "")
        for name, table_of in TABLES.items():
            self._fill(name, table_of(picture))

    def on_resize(self) -> None:
        if self._picture is not None:
            self._show(self._picture)

    def _fill(self, name: str, table: Table) -> None:
        """The cursor stays on the same thing where that is still there."""
        shown = self._table(name)
        row, key = shown.cursor_row, self._key(name)
        rows = table.fitted(self.size.width)
        scroll = shown.scroll_y
        shown.clear(columns=True)
        shown.add_columns(*table.header)
        for number, one in enumerate(rows):
            shown.add_row(*(Text(cell) for cell in one.cells), key=f"{number} {one.key}")
        again = next((number for number, one in enumerate(rows) if one.key == key), min(row, len(rows) - 1))
        if rows:
            shown.move_cursor(row=max(again, 0), scroll=False)
            shown.scroll_to(y=scroll, animate=False)
        self.query_one("#tabs", TabbedContent).get_tab(name).label = f"{name} {len(rows)}"

    def _table(self, name: str) -> DataTable[Text]:
        return cast("DataTable[Text]", self.query_one(f"#table-{name}", DataTable))

    def _key(self, name: str) -> str:
        """What the cursor is on; empty where there is nothing."""
        shown = self._table(name)
        if not shown.row_count:
            return ""
        key = shown.coordinate_to_cell_key(shown.cursor_coordinate).row_key.value or ""
        return key.partition(" ")[2]

    def action_tab(self, name: str) -> None:
        self.query_one("#tabs", TabbedContent).active = name
        self._table(name).focus()

    def action_pause(self) -> None:
        self._paused = not self._paused
        self.sub_title = "paused" if self._paused else ""
        self.notify("paused" if self._paused else "live", timeout=1)

    def on_data_table_row_selected(self) -> None:
        self.action_details()

    def action_details(self) -> None:
        tabs = self.query_one("#tabs", TabbedContent)
        key = self._key(tabs.active)
        if key:
            self._tell(key)

    @work(thread=True, exclusive=True, group="tell")
    def _tell(self, key: str) -> None:
        try:
            if "_" in key.partition(":")[0] or key.partition(":")[0] in ("deadlock", "leak"):
                lines = FindingText(PLAIN).lines(self._client.get(f"/api/finding/{key}")["finding"])
            else:
                lines = node_lines(self._client.get(f"/api/node/{key}"), PLAIN, paths=False)
        except ClientError as error:
            lines = [str(error)]
        self.call_from_thread(self.push_screen, Details("\n".join(lines)))

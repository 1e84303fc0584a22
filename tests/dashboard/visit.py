# SPDX-License-Identifier: Apache-2.0
"""A person with a browser in front of the explorer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE_S

ARTIFACTS = Path(__file__).parents[2] / "artifacts"


class Visit:
    """One fresh browser window; every request it makes is written down."""

    def __init__(self, browser: Any, scheme: str) -> None:
        self.context = browser.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)
        self.context.set_default_timeout(PATIENCE_S * 1000)
        self.page = self.context.new_page()
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", self._goes_out)
        self.page.on("websocket", self._goes_out)
        self.page.on("pageerror", self._fails)
        self.page.on("console", self._says)
        self.page.on("dialog", self._opens_a_dialog)

    def _goes_out(self, call: Any) -> None:
        if not re.match(r"(http|ws)://127\.0\.0\.1[:/]|blob:|data:", call.url):
            self.outside.append(call.url)

    def _fails(self, error: object) -> None:
        self.errors.append(str(error))

    def _says(self, message: Any) -> None:
        """Also what could not be fetched is an error there."""
        if message.type == "error":
            self.errors.append(message.text)

    def _opens_a_dialog(self, dialog: Any) -> None:
        self.errors.append("a dialog opened: " + dialog.message)
        dialog.dismiss()

    def picture(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=str(ARTIFACTS / f"dashboard-{name}.png"))

    def places(self) -> dict[str, str]:
        """The place of each node of the graph."""
        nodes = self.page.locator("svg.view [data-id]")
        return {n.get_attribute("data-id"): n.get_attribute("transform") for n in nodes.all()}

    def wait_for_graph(self) -> None:
        self.page.locator(".wg[data-ready] [data-id]").first.wait_for()

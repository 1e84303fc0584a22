# SPDX-License-Identifier: Apache-2.0
"""The small icon font has every icon that is used, and stands in for Streamlit's only where it was made from that."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import peeps_dashboard
from peeps_dashboard.front import icons
from tests.dashboard.streamlit_folder import STREAMLIT_FOLDER

PACKAGE = Path(peeps_dashboard.__file__).parent
STREAMLIT = STREAMLIT_FOLDER / "static"
ICON = re.compile(r":material/([a-z0-9_]{2,})")


def test_every_icon_of_our_pages_is_in_it() -> None:
    names = set(json.loads((PACKAGE / "static/icons.json").read_text())["names"])
    used = {name for source in PACKAGE.rglob("*.py") for name in ICON.findall(source.read_text())}
    assert used > {"gavel", "pause"}
    assert used <= names, "run scripts/subset-icons"


def test_it_stands_in_for_the_font_that_it_was_made_from(tmp_path: Path) -> None:
    (whole,) = STREAMLIT.glob("static/media/MaterialSymbols-Rounded.*.woff2")
    assert icons.in_place_of(STREAMLIT) == (f"/static/media/{whole.name}", PACKAGE / "static/icons.woff2"), (
        "another Streamlit: run scripts/subset-icons"
    )
    media = tmp_path / "static/media"
    media.mkdir(parents=True)
    shutil.copy(whole, media)
    (media / whole.name).open("ab").write(b"another version")
    assert icons.in_place_of(tmp_path) is None
    assert (PACKAGE / "static/icons.woff2").stat().st_size * 20 < whole.stat().st_size

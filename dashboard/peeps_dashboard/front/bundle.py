# SPDX-License-Identifier: Apache-2.0
"""Streamlit's small scripts as one file: most of its hundred requests are for a kilobyte each.

The page makes a module of each of them, and an import map leads whoever imports one to that (static/early.js). Their
texts stay as they are but for the places they import from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PREFIX = "pp-static/"
"""How the texts name what they import; the page maps it to `/static/js/`."""
_SMALL = 24_000
_IMPORT = re.compile(r"""(?<![\w$.])(from|import|import\()(["'`])\./([\w.$-]+\.js)\2""")
_FOREIGN = re.compile(r"""(?<![\w$.])(?:from|import\(?)["'`](?!pp-static/)|import\.meta""")
# What the pages draw, as patterns: these and what they import statically.
_DRAWN = (
    *("Html", "Button", "BidiComponent", "PageLink", "DownloadButton", "Spinner", "ButtonGroup", "Radio"),
    *("Selectbox", "Multiselect", "TextInput", "TextArea", "Checkbox", "Slider"),
)


class Bundle(NamedTuple):
    """`path`: where it is served; its name changes with its content. `body`: JSON, text by name. `names`: of the files
    in it."""

    path: str
    body: bytes
    names: frozenset[str]


def of(scripts: Path, entries: Iterable[str]) -> Bundle:
    """Of the folder with Streamlit's scripts. `entries`: the names of those that every page begins with."""
    begun = [*entries, *(file.name for name in _DRAWN for file in sorted(scripts.glob(f"{name}.*.js")))]
    texts = {name: text for name, text in _reached(scripts, begun).items() if len(text) <= _SMALL}
    rewritten = {name: _IMPORT.sub(rf"\1\2{PREFIX}\3\2", text) for name, text in sorted(texts.items())}
    kept = {name: text for name, text in rewritten.items() if not _FOREIGN.search(text)}
    body = json.dumps(kept, ensure_ascii=False).encode()
    tag = hashlib.blake2b(body, digest_size=8).hexdigest()
    return Bundle(f"/static/js/peeps.{tag}.json", body, frozenset(kept))


def _reached(scripts: Path, begun: Iterable[str]) -> dict[str, str]:
    """Text by name: these, and what they import statically."""
    found: dict[str, str] = {}
    work = list(begun)
    while work:
        name = work.pop()
        file = scripts / name
        if name not in found and file.is_file():
            found[name] = text = file.read_text(encoding="utf-8")
            work += [match[3] for match in _IMPORT.finditer(text) if match[1] != "import("]
    return found

# SPDX-License-Identifier: Apache-2.0
"""Streamlit's own page, parted so that something can stand in it before its scripts run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from . import bundle
from .bundle import Bundle

_ROOT = '<div id="root"></div>'
# Streamlit's sixty preloads and its module would be parsed before the first paint: early.js adds them right after it.
_SCRIPTS = re.compile(r'<link rel="modulepreload"[^>]*?href="(.*?)">|<script type="module"[^>]*?src="(.*?)"></script>')
_FONTS = re.compile(r'<link\s+rel="preload"[^>]*?as="font"[^>]*?>', re.DOTALL)
# What the pages ask for after their first run, as patterns.
_LATE = ("Html", "purify.es", "Button", "BidiComponent", "?arrayReduce", "serialization", "recordbatch")


class Shell(NamedTuple):
    """`head`: up to and with `<head>`; `between`: from there to the root; `rest`: the root and all behind it.
    `scripts`: addresses, the entry first, then what is to be loaded with it. `bundle`: the small ones as one file,
    which are not among these."""

    head: str
    between: str
    rest: str
    scripts: Sequence[str]
    bundle: Bundle


def part(static: Path) -> Shell | None:
    """None where Streamlit's page is not as it was when this was written: then it is to be served as it is."""
    try:
        text = (static / "index.html").read_text(encoding="utf-8")
    except OSError:
        return None
    text = re.sub(r"<noscript>.*?</noscript>|<!--.*?-->", "", text, flags=re.DOTALL)
    scripts = [preload or entry for preload, entry in _SCRIPTS.findall(text)]
    entries = [entry for _, entry in _SCRIPTS.findall(text) if entry]
    text = _FONTS.sub("", _SCRIPTS.sub("", text))
    if text.count(_ROOT) != 1 or text.count("<head>") != 1 or len(entries) != 1 or "modulepreload" in text:
        return None
    head, _, after = text.partition("<head>")
    between, _, rest = after.partition(_ROOT)
    late = [
        f"./static/js/{file.name}" for name in _LATE for file in sorted((static / "static/js").glob(f"{name}.*.js"))
    ]
    bundled = bundle.of(static / "static/js", [Path(one).name for one in scripts])
    others = [one for one in (*scripts, *late) if one != entries[0] and Path(one).name not in bundled.names]
    return Shell(head + "<head>", between, _ROOT + rest, [entries[0], *others], bundled)

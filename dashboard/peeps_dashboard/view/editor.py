# SPDX-License-Identifier: Apache-2.0
"""The link that opens a line in an editor, and the path it has on the reader's machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT = "vscode://file{path}:{line}"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://[^\"'<>\s]*", re.IGNORECASE)
_SPECIAL = re.compile(r"[^\w/.~:-]", re.ASCII)
_RUNS = frozenset({"javascript", "data", "vbscript"})


@dataclass(frozen=True)
class Editor:
    """`template` has `{path}` and `{line}`; empty: no links. `paths`: beginnings of paths where the program runs, and
    what they are where the reader works, longest first."""

    template: str = DEFAULT
    paths: tuple[tuple[str, str], ...] = ()

    def link(self, place: str) -> str:
        """The address for `path:line`; empty where there is none."""
        path, _, line = place.rpartition(":")
        if not self.template or not path or not line.isdecimal():
            return ""
        for begins, instead in self.paths:
            if path == begins or path.startswith(begins.rstrip("/") + "/"):
                path = instead.rstrip("/") + path[len(begins.rstrip("/")) :]
                break
        whole = path.replace("\\", "/")
        whole = whole if whole.startswith("/") else "/" + whole
        return self.template.replace("{path}", _SPECIAL.sub(_percent, whole)).replace("{line}", line)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))


def from_environment(variables: Mapping[str, str]) -> Editor:
    """Of `PEEPS_EDITOR` (a URL with {path} and {line}; `off` for none) and `PEEPS_PATHS` (`/app=/home/me/shop,…`).
    Raises ValueError, in words."""
    template = variables.get("PEEPS_EDITOR", "").strip() or DEFAULT
    if template == "off":
        template = ""
    scheme = template.partition(":")[0].lower()
    if template and (not _SCHEME.fullmatch(template) or scheme in _RUNS or "{path}" not in template):
        raise ValueError(f"PEEPS_EDITOR={template} is not a URL with {{path}} and {{line}} in it, such as {DEFAULT}")
    pairs: list[tuple[str, str]] = []
    for one in filter(None, (part.strip() for part in variables.get("PEEPS_PATHS", "").split(","))):
        there, equals, here = one.partition("=")
        if not equals or not there or not here:
            raise ValueError(f"PEEPS_PATHS={one} is not there=here, such as /app=/home/me/shop")
        pairs.append((there, here))
    return Editor(template, tuple(sorted(pairs, key=lambda pair: -len(pair[0]))))

# SPDX-License-Identifier: Apache-2.0
"""Waiter and holder of one link of a finding, beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..api import Finding, Link, Node
from . import words
from .stacks import Stack, of_node


@dataclass(frozen=True)
class Side:
    """`who` and `does` make a sentence. `line_word` says what happens on the line to open."""

    role: Literal["waiter", "holder", "reader"]
    node: str | None
    who: str
    does: str
    process: str
    line_word: str
    open_at: str
    stack: Stack | None


def link_at(finding: Finding, focus: str | None) -> Link | None:
    """The link in which the focused node waits, else in which it takes part, else the first."""
    links = finding["evidence"]
    for part in ("waiter", "resource", "holder"):
        for link in links:
            if focus is not None and link[part] == focus:
                return link
    return links[0] if links else None


def of_link(link: Link, finding: Finding, names: Mapping[str, str]) -> tuple[Side, Side]:
    return _waiter(link, finding, names), _holder(link, finding, names)


def _waiter(link: Link, finding: Finding, names: Mapping[str, str]) -> Side:
    node = finding["nodes"].get(link["waiter"])
    stack = of_node(node, finding.get("sources")) if node else None
    what = link["resource_label"]
    return Side(
        role="waiter",
        node=link["waiter"],
        who=link["waiter_label"],
        does=f"{link['relation']} {what}, {link['age']}",
        process=_process(node, names),
        line_word="waits here",
        open_at=link["wait_short"] or (stack.open_at if stack else ""),
        stack=stack,
    )


def _holder(link: Link, finding: Finding, names: Mapping[str, str]) -> Side:
    nodes = finding["nodes"]
    resource = nodes.get(link["resource"])
    what = link["resource_label"]
    holder = link["holder"]
    if holder is None:
        return Side(
            "holder", None, "Nobody known", f"holds {what} or could give it", _process(resource, names), "", "", None
        )
    node = nodes.get(holder)
    stack = of_node(node, finding.get("sources")) if node else None
    taken = link["hold_short"]
    reads = words.is_channel(resource)
    gives = "should read" if reads else "holds"
    return Side(
        role="reader" if reads else "holder",
        node=holder,
        who=link["holder_label"],
        does=f"{gives} {what}" + (f", {link['hold_age']}" if link["hold_age"] else ""),
        process=_process(node, names),
        line_word="took it here" if taken else "is here",
        open_at=taken or (stack.open_at if stack else ""),
        stack=stack,
    )


def _process(node: Node | None, names: Mapping[str, str]) -> str:
    return names.get(node["process"], node["process"]) if node else ""

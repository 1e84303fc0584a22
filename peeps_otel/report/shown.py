# SPDX-License-Identifier: Apache-2.0
"""Nodes and findings as one answer shows them: in words, with the nodes that a finding names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any, Protocol

from ..diagnosis.stuck_request import span_of, stuck_request
from ..model import Edge, Node, NodeKind, own_line
from . import in_words
from .behind import as_a_person_counts, handled_by, unanswered
from .in_words import Places
from .sentences import duration

_ANYWHERE = Places()
_BLOCKED_SHOWN = 50
_SEARCHED_MOST = 1000


class GraphView(Protocol):
    """The nodes by id, the edges that begin at each, and whose process a node is of."""

    @property
    def nodes(self) -> Mapping[str, Node]: ...

    @property
    def out(self) -> Mapping[str, Sequence[Edge]]: ...

    @property
    def owner(self) -> Mapping[str, str]: ...


class Texts(Protocol):
    """The lines of source that are known."""

    def of(self, processes: Iterable[str], places: Iterable[str]) -> dict[str, dict[str, Any]]:
        """By place: `first`, the number of the first line, and `lines`."""
        ...

    def line(self, process: str, place: str) -> str:
        """Of a place alone, empty where it is not known."""
        ...


class Shown:
    """Nodes as one answer shows them: with their process and in words. `directories`: the working directory of each
    process, empty where that is not known. `texts`: None where no text of lines is shown. `trace_url`: where a trace is
    shown, with `{trace_id}` and `{span_id}` in it; empty where that is not known. `ends`: ids, among which those of
    all requests and responses are; None where that is not known."""

    def __init__(
        self,
        view: GraphView,
        directories: Mapping[str, str],
        now_ns: int,
        texts: Texts | None = None,
        trace_url: str = "",
        ends: Collection[str] | None = None,
    ) -> None:
        self.view = view
        self._among = ends
        self.now_ns = now_ns
        self._texts = texts
        self._trace_url = trace_url
        self._places = {key: Places(directory) for key, directory in directories.items()}

    def places(self, process: str | None) -> Places:
        return self._places.get(process or "", _ANYWHERE)

    def node(self, node: Node) -> dict[str, Any]:
        process = self.view.owner.get(node.id)
        told: dict[str, Any] = in_words.live_node(node, self.now_ns, self.places(process)) | {"process": process}
        if self._texts is not None and told["wait"] is not None:
            told["wait"]["text"] = self._texts.line(process or "", own_line.line_of(told["wait"]["source"]))
        trace = self.trace(node)
        return told if trace is None else told | {"trace": trace}

    def trace(self, node: Node | None) -> dict[str, str] | None:
        """Of the span of a request or response; None where it has none."""
        span = None if node is None else span_of(node)
        if span is None:
            return None
        told = span._asdict()
        if self._trace_url:
            url = self._trace_url.replace("{trace_id}", span.trace_id)
            told["url"] = url.replace("{span_id}", span.span_id)
        return told

    @cached_property
    def _ends(self) -> list[Node]:
        """The requests and responses there are."""
        known = self.view.nodes
        some = known.values() if self._among is None else [known[one] for one in sorted(self._among) if one in known]
        return [node for node in some if node.kind in (NodeKind.REQUEST, NodeKind.RESPONSE)]

    @cached_property
    def _handled(self) -> Mapping[str, list[str]]:
        return handled_by(self._ends, self.view.out)

    def _stuck_request(self, finding: dict[str, Any]) -> dict[str, Any]:
        """The trace of the request that it keeps from going on, where there is one."""
        members = {one for one in _named(finding) if one not in finding["blocked"]} | set(finding["core"])
        trace = self.trace(stuck_request(members, finding["blocked"][:_SEARCHED_MOST], self._ends, self.view.out))
        return {} if trace is None else {"trace": trace}

    def nodes(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Those of them that are alive."""
        return {one: self.node(self.view.nodes[one]) for one in ids if one in self.view.nodes}

    def finding(self, finding: dict[str, Any]) -> dict[str, Any]:
        """A finding with its nodes, in words; changes `finding`. One that has ended, with its nodes as they were then,
        is told as of its end, and is not changed."""
        process = finding["processes"][0] if finding["processes"] else None
        if "nodes" in finding:
            return self._ended(deepcopy(finding), self.places(process))
        nodes = self.nodes(_named(finding))
        told = in_words.finding(finding, nodes, self.now_ns, self.places(process))
        people = as_a_person_counts(finding, self.view.nodes, self.view.out)
        if self._texts is not None:
            told["sources"] = self._texts.of(told["processes"], in_words.lines_named(told, nodes))
        requests = unanswered(finding, self._handled)
        behind = in_words.behind(people, nodes, told["blocked_count"], requests)
        return told | {"nodes": nodes, "behind": behind} | self._stuck_request(finding)

    def _ended(self, finding: dict[str, Any], places: Places) -> dict[str, Any]:
        then_ns: int = finding["last_seen_ns"]
        nodes = {
            one: in_words.node(node, then_ns, self.places(node["process"])) for one, node in finding["nodes"].items()
        }
        told = in_words.finding(finding, nodes, then_ns, places)
        count: int = told["blocked_count"]
        ago = duration(self.now_ns - then_ns)
        return told | {"nodes": nodes, "behind": in_words.behind([], nodes, count), "ended_ago": ago}


def _named(finding: dict[str, Any]) -> dict[str, None]:
    """Every node the finding names."""
    ids: dict[str, None] = dict.fromkeys(finding["core"])
    for link in finding["evidence"]:
        ids |= dict.fromkeys(node for node in (link["waiter"], link["resource"], link["holder"]) if node)
    ids |= dict.fromkeys(finding["blocked"][:_BLOCKED_SHOWN])
    return ids | dict.fromkeys(finding.get("examples", ()))

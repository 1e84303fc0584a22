# SPDX-License-Identifier: Apache-2.0
"""What is said in words beside each value, so that every page and terminal says the same.

Label, kind, age, headline, and places relative to the working directory of their process. The whole value always stands
beside its words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .. import semconv
from ..diagnosis.certainty_words import certainty
from ..diagnosis.wording import kind_word, label, short
from ..model import FindingKind, Node, NodeKind, own_line
from ..model.jsonable import node_from_json, node_to_json
from .sentences import duration

Json = dict[str, Any]
_BEHIND_MOST = 5
_PLACES_KEPT = 10_000
_PACKAGES = re.compile(r".*[/\\](?:site|dist)-packages[/\\]")
TELEMETRY = re.compile(r"opentelemetry|peeps")
"""Names of distributions that nobody looks for who looks for what is stuck."""


class Places:
    """Short forms of the places of one process. `directory`: its working directory; empty where that is not known."""

    def __init__(self, directory: str = "") -> None:
        self._inside = directory.rstrip("/\\") + "/" if directory.strip("/\\") else ""
        self._known: dict[str, str] = {}

    def short(self, place: str) -> str:
        """`a/b.py:7` of `/srv/shop/a/b.py:7`. Relative to the working directory or to where packages are installed;
        else the last two parts of the path, as in the sentences of findings."""
        known = self._known.get(place)
        if known is None:
            if len(self._known) >= _PLACES_KEPT:
                self._known.clear()
            known = self._known[place] = self._short(place)
        return known

    def _short(self, place: str) -> str:
        before, line = own_line.split(place)
        plain = line.replace("\\", "/")
        if self._inside and plain.startswith(self._inside):
            return before + plain[len(self._inside) :]
        package = _PACKAGES.match(line)
        return before + plain[package.end() :] if package else short(place)

    def in_text(self, text: str, known: Iterable[str]) -> str:
        """`text` with the short forms that its writer used, who does not know the working directory, made ours."""
        for place in set(known):
            theirs, ours = short(own_line.line_of(place)), self.short(own_line.line_of(place))
            if theirs and theirs != ours:
                text = re.sub(rf"(?<![\w/.-]){re.escape(theirs)}(?!\d)", lambda _, ours=ours: ours, text)
        return text


def node(told: Json, now_ns: int, places: Places, known: Node | None = None) -> Json:
    """A node of the API, with its words; changes `told`. `known`: the node itself, where it is at hand."""
    one = node_from_json(told) if known is None else known
    told |= {
        "label": _label(one, places),
        "kind_word": kind_word(one.kind),
        "age": duration(now_ns - one.created_at),
        "short": places.short(one.source),
        "telemetry": is_telemetry(one),
    }
    asks = one.attributes.get(semconv.POLL_ASKS)
    if asks is not None:
        at = one.attributes.get(semconv.POLL_AT)
        told |= {"poll_asks": asks, "poll_short": places.short(at) if type(at) is str else ""}
    if told["wait"] is not None:
        wait: Json = told["wait"]
        wait |= {"age": duration(now_ns - wait["since_ns"]), "short": places.short(wait["source"])}
        if wait.get("deadline_ns"):
            wait["gives_up_in"] = duration(wait["deadline_ns"] - now_ns)
    for frame in told["stack"]:
        frame["short"] = places.short(frame["file"] if frame["line"] is None else f"{frame['file']}:{frame['line']}")
    return told


def _label(one: Node, places: Places) -> str:
    """With the same short form of the place where it was made, if that is what it is called by, as everywhere."""
    told = label(one)
    if told.endswith(")") and one.source and told.endswith(f"({short(one.source)})"):
        return places.in_text(told, [one.source])
    return told


def live_node(one: Node, now_ns: int, places: Places) -> Json:
    return node(node_to_json(one), now_ns, places, one)


def finding(told: Json, nodes: Mapping[str, Json], now_ns: int, places: Places) -> Json:
    """A finding of the API, with its words; changes `told`. `nodes`: those it names, with theirs."""
    sources = list(_sources(told, nodes))
    for key in ("title", "advice", "break_first"):
        told[key] = places.in_text(told[key], sources)
    told["kind_word"] = told["kind"].replace("_", " ").upper()
    told["age"] = duration(now_ns - told["since_ns"])
    told["headline"] = f"{told['kind_word']}, {told['level']}, {told['age']}"
    deadline_ns = _gives_up(told, nodes)
    if deadline_ns > now_ns:
        told["gives_up_in"] = duration(deadline_ns - now_ns)
        told["headline"] += f", gives up in {told['gives_up_in']}"
    told["certainty"] = certainty(told["kind"], told["level"])
    told["look_at_short"] = places.short(told["look_at"])
    for frame in told["stack"]:
        frame["short"] = places.short(frame["file"] if frame["line"] is None else f"{frame['file']}:{frame['line']}")
    for step in told["evidence"]:
        for key in ("text", "holder_doing"):
            step[key] = places.in_text(step[key], sources)
        step["age"] = duration(now_ns - step["since_ns"]) if step["since_ns"] else ""
        step["hold_age"] = duration(now_ns - step["hold_since_ns"]) if step["hold_since_ns"] else ""
        step["wait_short"] = places.short(step["wait_source"] or "")
        step["hold_short"] = places.short(step["hold_source"] or "")
        step["relation"] = _relation(step, nodes)
        for name, part in (("waiter_label", "waiter"), ("resource_label", "resource"), ("holder_label", "holder")):
            step[name] = label_of(step[part], nodes)
        if step["resource"] == step["waiter"]:  # it waits for nothing that has a node
            step["resource_label"] = "something that is not shown"
    told["example_labels"] = [label_of(one, nodes) for one in told.get("examples", ())]
    for site in told["blocked_sites"]:
        site["short"] = places.short(site["source"])
    return told


def behind(people: list[str], nodes: Mapping[str, Json], count: int, requests: Mapping[str, int] | None = None) -> Json:
    """What waits behind a finding. `people`: those in it that a person would count; `count`: all of them; `requests`:
    by name, those that cannot be answered.

    `count`, `text`: `31 tasks wait behind it: a, b, c, d, e and 26 more. 8 requests are not answered: 8 × GET /a.`
    """
    unanswered = _unanswered(requests or {})
    if not count:
        return {"count": 0, "text": unanswered or "Nothing else waits behind it."}
    number = len(people) if people else count
    names = Counter(nodes[member]["label"] for member in people if member in nodes)
    kinds = {member.partition(":")[0] for member in people}
    many = f"{kinds.pop()}s" if len(kinds) == 1 else "tasks and threads" if kinds else "tasks"
    text = f"1 {many[:-1]} waits" if number == 1 else f"{number:,} {many} wait"
    listed = f": {_listed(list(names.items()), number)}" if names else ""
    return {"count": number, "text": f"{text} behind it{listed}.{' ' if unanswered else ''}{unanswered}"}


def _unanswered(requests: Mapping[str, int]) -> str:
    if not requests:
        return ""
    total = sum(requests.values())
    listed = _listed(sorted(requests.items(), key=lambda item: (-item[1], item[0])), total)
    return f"1 request is not answered: {listed}." if total == 1 else f"{total:,} requests are not answered: {listed}."


def _listed(names: Sequence[tuple[str, int]], number: int) -> str:
    """`a, 3 × b and 4 more`. `number`: of all, also those that are not named."""
    shown = names[:_BEHIND_MOST]
    told = ", ".join(name if many == 1 else f"{many:,} × {name}" for name, many in shown)
    rest = number - sum(many for _, many in shown)
    return told + (f" and {rest:,} more" if rest > 0 else "")


def label_of(node_id: str | None, nodes: Mapping[str, Json]) -> str:
    """The label of a node; where it is gone, its kind and the end of its id."""
    if node_id is None:
        return ""
    if node_id in nodes:
        return nodes[node_id]["label"]
    kind, _, rest = node_id.partition(":")
    return f"{kind_word(kind)} …{rest[-6:]} (gone)" if rest else node_id


def _gives_up(told: Json, nodes: Mapping[str, Json]) -> int:
    """When the first of its waiters gives up, of a finding that ends so; 0 where that is not known."""
    if told["kind"] not in (FindingKind.TIMES_OUT, FindingKind.POOL_EXHAUSTED):
        return 0
    waits = [nodes[step["waiter"]]["wait"] for step in told["evidence"] if step["waiter"] in nodes]
    return min((wait["deadline_ns"] for wait in waits if wait is not None and wait.get("deadline_ns")), default=0)


def _relation(step: Json, nodes: Mapping[str, Json]) -> str:
    """What stands between the waiter's label and that of what it waits for."""
    waiter = nodes.get(step["waiter"])
    kind = step["resource"].partition(":")[0]
    if waiter is not None and waiter["attributes"].get(semconv.TASK_THREAD) == step["resource"]:
        return "cannot run while"
    if waiter is not None and semconv.DIED_OF in waiter["attributes"]:
        return f"died of {waiter['attributes'][semconv.DIED_OF]} and had used"
    if step["resource"] == step["waiter"]:
        return (
            "waits for" if waiter is None or semconv.POLL_AT not in waiter["attributes"] else "asks again and again for"
        )
    if kind in {NodeKind.TASK, NodeKind.THREAD}:
        return "waits for the end of"
    joins = waiter is not None and waiter["wait"] is not None and waiter["wait"]["operation"] == "queue.join"
    if kind == NodeKind.RX:
        return "waits until everything is done that was put into" if joins else "waits for an item from"
    return "waits to put into" if kind == NodeKind.TX else "waits for"


def is_telemetry(one: Node) -> bool:
    """Whether it is a thread of OpenTelemetry's or of ours, which nobody looks for."""
    if one.kind is not NodeKind.THREAD or not one.stack or any(frame.own is not False for frame in one.stack):
        return False
    return bool(TELEMETRY.match(own_line.library_of(one.stack)))


def lines_named(told: Json, nodes: Mapping[str, Json]) -> list[str]:
    """The program's own lines that a finding points to, the first one to open first."""
    places = [told["look_at"]]
    for step in told["evidence"]:
        places += (step["wait_source"] or "", step["hold_source"] or "")
    stacks = [told["stack"]]
    for step in told["evidence"]:
        stacks += [nodes[one]["stack"] for one in (step["waiter"], step["holder"]) if one in nodes]
    for stack in stacks:
        places += [f"{frame['file']}:{frame['line']}" for frame in stack if frame.get("own") is not False]
    return list(dict.fromkeys(line for place in places if (line := own_line.line_of(place))))


def _sources(told: Json, nodes: Mapping[str, Json]) -> Iterator[str]:
    yield told["look_at"]
    for step in told["evidence"]:
        yield from (step["wait_source"] or "", step["hold_source"] or "")
    for one in nodes.values():
        yield one["source"]
        if one["wait"] is not None:
            yield one["wait"]["source"]
        for frame in one["stack"]:
            yield f"{frame['file']}:{frame['line']}"

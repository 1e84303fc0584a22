# SPDX-License-Identifier: Apache-2.0
"""Two cuts of the graph, and who has moved between them."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from peeps_otel.diagnosis.progress import Progress, progress, sentence
from peeps_otel.model import Graph
from peeps_otel.model.jsonable import node_from_json
from peeps_otel.report.style import Style, printable

from .client import Client

Json = dict[str, Any]

_NODES_MOST = 20_000
_STILL_SHOWN = 20


def show_progress(client: Client, process: str | None, *, seconds: float, as_json: bool) -> int:
    """Prints what advanced in `seconds`. 1 where there are tasks and none of them did, else 0. Raises ClientError."""
    processes = client.process_ids(process)
    before = _cut(client, processes)
    time.sleep(seconds)
    after = _cut(client, processes)
    found = progress(_graph(before), _graph(after))
    if as_json:
        names = ("advanced", "still", "started", "ended", "changed")
        json.dump({"seconds": seconds, **{name: getattr(found, name) for name in names}}, sys.stdout, indent=2)
        print()
    else:
        print("\n".join(report(found, seconds, after, Style())))
    return 1 if found.still and not found.advanced and not found.started and not found.ended else 0


def report(found: Progress, seconds: float, answer: Json, style: Style) -> list[str]:
    """The text, line by line. `answer`: the later cut as the API gave it."""
    nodes: dict[str, Json] = {node["id"]: node for node in answer["nodes"]}
    nothing = bool(found.still) and not found.advanced
    lines = [style("red" if nothing else "green", printable(sentence(found, seconds)))]
    if found.still:
        lines += ["", "Did not advance:"]
    for node_id in found.still[:_STILL_SHOWN]:
        lines.append(f"  {_line(nodes[node_id])}")
    if len(found.still) > _STILL_SHOWN:
        lines.append(f"  and {len(found.still) - _STILL_SHOWN} more")
    if found.changed:
        lines += ["", "Changed:", *(f"  {printable(change)}" for change in found.changed)]
    if answer["truncated"]:
        lines += ["", style("yellow", f"Only {_NODES_MOST} of {answer['total_nodes']} nodes were compared.")]
    if answer["not_answered"]:
        lines += ["", style("yellow", f"Not answered, so not compared: {', '.join(answer['not_answered'])}")]
    return lines


def _line(node: Json) -> str:
    name, wait = printable(node["label"]), node["wait"]
    if wait is None:
        return f"{name}: {node['state'] or 'runs'}"
    at = "" if wait["source"].startswith("in ") else "at "
    return f"{name}: {printable(wait['operation'])} for {wait['age']} {at}{printable(wait['short'])}"


def _cut(client: Client, processes: list[str]) -> Json:
    return client.get("/api/snapshot", process=processes, limit=str(_NODES_MOST))


def _graph(answer: Json) -> Graph:
    nodes = [node_from_json(node) for node in answer["nodes"] if not node["telemetry"]]
    silent = set(answer["not_answered"])
    owners = {node["id"]: node.get("process") for node in answer["nodes"]}
    return Graph({node.id: node for node in nodes if owners[node.id] not in silent}, [])

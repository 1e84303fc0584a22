# SPDX-License-Identifier: Apache-2.0
"""`peeps calls`: the requests in flight between processes, oldest first."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from peeps_otel.report.style import Style, printable

from .client import Client
from .command import add_json, add_process
from .folding import on_terminal

if TYPE_CHECKING:
    from ..config import Config

NAME = "calls"
HELP = "the requests in flight: sent when, to whom, handled by what"

Json = dict[str, Any]

_LONG_MS = "5000"
_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    client = Client.of(config)
    answer = client.get("/api/calls", process=client.process_ids(options.process), limit="10000")
    if options.json:
        json.dump(answer, sys.stdout)
        print()
    else:
        print(on_terminal(lines(answer) or ["No request is in flight."]))
    return 0


def lines(answer: Json) -> list[str]:
    """A line for each call, and how many there are beside those."""
    found = [printable(call["text"]) for call in answer["calls"]]
    rest = answer["total"] - len(found)
    return [*found, f"and {rest:,} more"] if rest else found


def long_ones(client: Client, processes: list[str], style: Style) -> list[str]:
    """What to say beside a verdict: the oldest calls that have lasted for 5 s, five of them. Raises ClientError."""
    answer = client.get("/api/calls", process=processes, least_ms=_LONG_MS, limit=str(_NAMED))
    found = lines(answer)
    return ["", style("bold", "In flight for more than 5 s:"), *(f"  {line}" for line in found)] if found else []

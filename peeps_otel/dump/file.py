# SPDX-License-Identifier: Apache-2.0
"""A dump as a file: JSON of `schema.json`, gzipped. A reader of an older version says which it can read."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..model.jsonable import (
    edge_from_json,
    edge_to_json,
    finding_from_json,
    finding_to_json,
    node_from_json,
    node_to_json,
)
from ..version import __version__
from .dump import Dump, DumpedFinding, DumpedProcess

Json = dict[str, Any]

FORMAT = "peeps-dump"
VERSION = 1
"""Grows when something in it is not what it was. That a field comes does not change it: a reader leaves out what it
does not know."""
_MOST = 1 << 30  # bytes of JSON: a dump is a few hundred bytes a node


class NotADump(ValueError):
    """The file cannot be read as a dump; the message says why."""


def write(dump: Dump, path: str | os.PathLike[str]) -> None:
    """A reader sees all of it or nothing; only its owner may read it, for names and lines may be secret. Raises
    OSError."""
    target = Path(path)
    data = gzip.compress(to_bytes(dump), 6, mtime=0)
    if not target.is_file() and target.exists():  # a pipe or `/dev/stdout`
        target.write_bytes(data)
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str]) -> Dump:
    """Raises OSError, and NotADump."""
    with open(path, "rb") as stream:
        return from_bytes(_plain(stream, str(path)), str(path))


def to_bytes(dump: Dump) -> bytes:
    """The JSON, not gzipped."""
    return json.dumps(to_json(dump), separators=(",", ":")).encode()


def from_bytes(data: bytes, name: str = "it") -> Dump:
    """Of the JSON. Raises NotADump, which says `name`."""
    try:
        told = json.loads(data)
    except ValueError:
        raise NotADump(f"{name} is not a dump of peeps: it is no JSON") from None
    if not isinstance(told, dict) or cast("Json", told).get("format") != FORMAT:
        raise NotADump(f'{name} is not a dump of peeps: it does not say "format": "{FORMAT}"')
    version = cast("Json", told).get("version")
    if version != VERSION:
        raise NotADump(f"{name} is a dump of version {version}; this peeps reads version {VERSION}")
    try:
        return from_json(cast("Json", told))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotADump(f"{name} is a damaged dump: {type(error).__name__}: {error}") from None


def to_json(dump: Dump) -> Json:
    return {
        "format": FORMAT,
        "version": VERSION,
        "written_by": f"peeps-otel {__version__}",
        "time_ns": dump.time_ns,
        "processes": [_process_to_json(one) for one in dump.processes],
        "nodes": [node_to_json(node) | {"process": dump.owner[key]} for key, node in dump.nodes.items()],
        "edges": [edge_to_json(edge) for edge in dump.edges],
        "findings": [finding_to_json(one.finding) | {"processes": one.processes} for one in dump.findings],
        "sources": [
            {"process": process, "place": place, "first": text["first"], "lines": list(text["lines"])}
            for process, texts in dump.sources.items()
            for place, text in texts.items()
        ],
        "missing": dump.missing,
    }


def from_json(told: Json) -> Dump:
    nodes = {one["id"]: node_from_json(one) for one in told["nodes"]}
    sources: dict[str, dict[str, Json]] = {}
    for one in told["sources"]:
        sources.setdefault(one["process"], {})[one["place"]] = {"first": one["first"], "lines": one["lines"]}
    return Dump(
        told["time_ns"],
        [_process_from_json(one) for one in told["processes"]],
        nodes,
        {one["id"]: one["process"] for one in told["nodes"]},
        [edge_from_json(one) for one in told["edges"]],
        [DumpedFinding(finding_from_json(one), list(one["processes"])) for one in told["findings"]],
        sources,
        told.get("missing", 0),
    )


_FIELDS = tuple(DumpedProcess.__dataclass_fields__)


def _process_to_json(process: DumpedProcess) -> Json:
    return {name: getattr(process, name) for name in _FIELDS}


def _process_from_json(told: Json) -> DumpedProcess:
    return DumpedProcess(**{name: told[name] for name in _FIELDS if name in told})


def _plain(stream: BinaryIO, name: str) -> bytes:
    """Unpacked where it is gzipped, never more than a gigabyte."""
    head = stream.read(2)
    stream.seek(0)
    try:
        if head == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=stream) as packed:
                data = packed.read(_MOST + 1)
        else:
            data = stream.read(_MOST + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise NotADump(f"{name} is a damaged dump: {error}") from None
    if len(data) > _MOST:
        raise NotADump(f"{name} is larger than {_MOST >> 20} MiB unpacked, which no dump is")
    return data

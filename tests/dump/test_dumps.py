# SPDX-License-Identifier: Apache-2.0
"""A dump of a stuck program: what is in the file, and that it reads as the program itself would tell it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import peeps_otel.dump.file as dump_file
from peeps_otel.dump.answers import findings_answer, snapshot_answer
from tests.support.processes import peeps

from .dumping_story import PROGRAM, dumped_twice

SCHEMA = json.loads(Path(dump_file.__file__).with_name("schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return dumped_twice(tmp_path_factory.mktemp("dumps"))


def test_the_file_is_of_the_published_schema_and_for_its_owner_alone(dumps: tuple[Path, Path]) -> None:
    told = json.loads(gzip.decompress(dumps[0].read_bytes()))
    Draft202012Validator.check_schema(SCHEMA)
    validator: Any = Draft202012Validator(SCHEMA)
    validator.validate(told)
    for name, fields in (("process", "processes"), ("node", "nodes"), ("edge", "edges"), ("finding", "findings")):
        described = set(SCHEMA["$defs"][name]["properties"])
        assert all(set(one) == described for one in told[fields]), fields
    assert dumps[0].stat().st_mode & 0o777 == 0o600


def test_what_was_written_is_read(dumps: tuple[Path, Path]) -> None:
    dump = dump_file.read(dumps[0])
    again = dump_file.from_bytes(dump_file.to_bytes(dump))
    assert again == dump
    assert [str(one.finding.level) for one in dump.findings] == ["PROVEN"]
    assert {edge.src for edge in dump.edges} <= set(dump.nodes)


def test_it_answers_as_the_api_does(dumps: tuple[Path, Path]) -> None:
    dump = dump_file.read(dumps[0])
    answer = findings_answer(dump)
    verdict = answer["verdict"]
    sentence = verdict.pop("sentence")
    assert verdict == {"stuck": True, "level": "PROVEN", "connected": True, "cannot_judge": []}
    assert sentence.startswith("DEADLOCK, PROVEN, ")
    line = PROGRAM.splitlines().index("        async with second:") + 1
    assert answer["findings"][0]["look_at_short"] == f"shop.py:{line}"
    assert f"->{line:>5} |     async with second:" in answer["findings"][0]["text"]
    assert snapshot_answer(dump)["total_nodes"] == len(dump.nodes)


def test_the_commands_read_it_without_a_collector(dumps: tuple[Path, Path]) -> None:
    first, second = map(str, dumps)
    nobody = {"PEEPS_API": "127.0.0.1:1"}
    why = peeps("why", first, **nobody)
    assert (why.returncode, why.stdout.partition(",")[0]) == (1, "DEADLOCK")
    ps = peeps("ps", first, **nobody)
    assert (ps.returncode, "transfer" in ps.stdout, "counting" in ps.stdout) == (0, True, True)
    diff = peeps("diff", first, second, **nobody)
    assert diff.returncode == 1, diff.stderr
    moved, _, still = diff.stdout.partition("Did not advance:")
    assert "counting" in moved
    assert still.count("transfer") == 2
    assert "still open" in diff.stdout


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x1f\x8b\0\0", "is a damaged dump"),
        (b"{", "is not a dump of peeps: it is no JSON"),
        (b"{}", 'is not a dump of peeps: it does not say "format": "peeps-dump"'),
        (b'{"format": "peeps-dump", "version": 7}', "is a dump of version 7; this peeps reads version 1"),
        (b'{"format": "peeps-dump", "version": 1}', "is a damaged dump: KeyError: 'nodes'"),
    ],
)
def test_what_is_no_dump_is_said(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    result = peeps("why", str(path))
    assert result.returncode == 2
    assert said in result.stderr

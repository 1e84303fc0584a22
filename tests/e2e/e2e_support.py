# SPDX-License-Identifier: Apache-2.0
"""Programs, collectors and explorers as real processes, and what a person would ask of them."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import duckdb

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ARTIFACTS = ROOT / "artifacts"
PATIENCE_S = 60.0
"""For what must happen at some time, on a machine that may be busy."""
VERDICT_S = 5.0
"""For a verdict, from the moment the program says that it is at work."""
_BIN = Path(sys.executable).parent


def environment(**variables: str) -> dict[str, str]:
    """Ours without any setting of the person or job that runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    return kept | variables


def eventually(check: Callable[[], T], what: str, seconds: float = PATIENCE_S) -> T:
    """The first true value of `check`."""
    end = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < end, f"did not happen within {seconds:.0f} s: {what}"
        time.sleep(0.05)
    return value


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def ask(url: str, body: bytes | None = None) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, body), timeout=30) as answer:
        return json.loads(answer.read())


def source_line(path: Path, function: str, text: str) -> str:
    """`file.py:12`: the one line in `function` (`` for the module) of `path` with `text` in it."""
    lines = path.read_text().splitlines()
    first, last = 1, len(lines)
    if function:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == function:
                first, last = node.lineno, node.end_lineno or last
                break
        else:
            raise AssertionError(f"no function {function} in {path}")
    found = [number for number in range(first, last + 1) if text in lines[number - 1]]
    assert len(found) == 1, f"{text!r} is on lines {found} of {function} in {path}"
    return f"{path}:{found[0]}"


@dataclass
class Program:
    """A program that runs under `opentelemetry-instrument`; it has printed its first line."""

    name: str
    path: Path
    process: subprocess.Popen[bytes]
    output: Path
    started: float

    def line(self, function: str, text: str) -> str:
        return source_line(self.path, function, text)

    def interrupt(self) -> str:
        """Ctrl-C; what it printed."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)
        return self.output.read_text()


class Collector:
    """A running `peeps collector`."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        ready = directory / "ready.json"
        ready.unlink(missing_ok=True)
        self.database = directory / "peeps.duckdb"
        defaults = {
            "PEEPS_LISTEN": "127.0.0.1:0",
            "PEEPS_OTLP_GRPC": "off",
            "PEEPS_OTLP_HTTP": "off",
            "PEEPS_API": "127.0.0.1:0",
            "PEEPS_DB": str(self.database),
        }
        with (directory / "collector.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [_BIN / "peeps", "collector", "--ready-file", str(ready)],
                env=environment(**(defaults | settings)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        def is_ready() -> bool:
            assert self.process.poll() is None, (directory / "collector.txt").read_text()
            return ready.exists()

        eventually(is_ready, "the collector is ready")
        said = json.loads(ready.read_text())
        self.api: str = said["api"]
        self.otlp: str = said["grpc"][0]

    def get(self, path: str) -> Any:
        return ask(f"http://{self.api}{path}")

    def sql(self, statement: str) -> list[list[Any]]:
        return ask(f"http://{self.api}/api/sql", json.dumps({"sql": statement}).encode())["rows"]

    def peeps(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return peeps(*arguments, PEEPS_API=self.api)

    def verdict_on(self, program: Program, seconds: float = VERDICT_S) -> Finding:
        """The one finding, within `seconds` of the moment the program was at work."""
        left = seconds - (time.monotonic() - program.started)

        def found() -> Any:
            assert program.process.poll() is None, program.output.read_text()
            answer = self.get("/api/findings")
            return answer if answer["verdict"]["stuck"] else None

        answer = eventually(found, f"a verdict on {program.name}", left)
        assert len(answer["findings"]) == 1, [finding["title"] for finding in answer["findings"]]
        return Finding(answer["findings"][0], answer["verdict"]["sentence"])

    def stop(self) -> None:
        """Ends it as an operator would."""
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0

    def stored(self, statement: str) -> list[tuple[Any, ...]]:
        """Asks the file that it has left behind."""
        assert self.process.poll() is not None
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(statement).fetchall()


class Finding:
    """An answer of the API, with names in the place of ids."""

    def __init__(self, answer: dict[str, Any], sentence: str) -> None:
        self.answer = answer
        self.sentence = sentence
        self.kind: str = answer["kind"]
        self.level: str = answer["level"]
        self.title: str = answer["title"]
        self.core = self._names(answer["core"])
        self.blocked = self._names(answer["blocked"])
        self.kinds = {self._name(node): answer["nodes"][node]["kind"] for node in answer["core"]}

    def _name(self, node: str) -> str:
        return self.answer["nodes"][node]["name"]

    def _names(self, nodes: list[str]) -> set[str]:
        return {self._name(node) for node in nodes}

    def waits(self) -> dict[str, tuple[str, str]]:
        """By name of the waiter: what it waits for, and on which line."""
        return {
            self._name(link["waiter"]): (self._name(link["resource"]), link["wait_source"])
            for link in self.answer["evidence"]
        }

    def holds(self) -> dict[str, tuple[str, str]]:
        """By name of what is waited for: who holds it, and on which line it was taken."""
        return {
            self._name(link["resource"]): (self._name(link["holder"]), link["hold_source"])
            for link in self.answer["evidence"]
            if link["hold_source"]
        }

    def source_of(self, name: str) -> str:
        return next(node["source"] for node in self.answer["nodes"].values() if node["name"] == name)


def peeps(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_BIN / "peeps", *arguments], env=environment(**variables), capture_output=True, text=True, timeout=PATIENCE_S
    )


def start_program(path: Path, directory: Path, settings: dict[str, str], *arguments: str) -> Program:
    """Under `opentelemetry-instrument`, as a user would; returns when it has printed its first line."""
    output = directory / f"{path.stem}.txt"
    variables = {f"OTEL_{signals}_EXPORTER": "none" for signals in ("TRACES", "METRICS", "LOGS")}
    variables |= {"PYTHONUNBUFFERED": "1"} | settings
    with output.open("wb") as file:
        process = subprocess.Popen(
            [
                _BIN / "opentelemetry-instrument",
                "--service_name",
                path.stem,
                sys.executable,
                str(path),
                *arguments,
            ],
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=directory,
        )

    def speaks() -> bool:
        assert process.poll() is None, output.read_text()
        return f"{path.stem}:" in output.read_text()

    eventually(speaks, f"{path.stem} starts")
    return Program(path.stem, path, process, output, time.monotonic())


@contextlib.contextmanager
def explorer(api: str, log: IO[bytes]) -> Iterator[str]:
    """The address of an explorer that reads the collector at `api`."""
    address = free_address()
    process = subprocess.Popen(
        [sys.executable, "-m", "peeps_dashboard"],
        env=environment(PEEPS_API=api, PEEPS_HTTP=address),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        eventually(lambda: process.poll() is not None or _healthy(address), "the explorer answers")
        assert process.poll() is None
        yield f"http://{address}"
    finally:
        end(process)


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

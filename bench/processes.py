# SPDX-License-Identifier: Apache-2.0
"""Starts the measured processes and the collector, and ends them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

from scripts.collector_process import CollectorProcess, Ended, on_free_ports

from .modes import ROOT, Started
from .report_line import told
from .steady import bound_to


class Failed(Exception):
    """A measured process ended without figures. Says why, as far as it did."""


def figures_of(started: Started, processor: int | None, timeout_s: float = 180.0) -> dict[str, float]:
    """Runs a worker to its end. `processor`: None: any."""
    try:
        done = subprocess.run(
            started.command,
            env=started.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            preexec_fn=None if processor is None else bound_to(processor),
        )
    except subprocess.TimeoutExpired as late:
        raise Failed(f"not done after {timeout_s:g} s") from late
    figures = told(done.stdout.splitlines())
    if figures is None:
        raise Failed(_last_words(done.stderr) or f"exit code {done.returncode}")
    return figures


@contextlib.contextmanager
def server(started: Started, processor: int) -> Generator[tuple[int, int]]:
    """Process id and port of a server that says its port."""
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            started.command,
            env=started.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=bound_to(processor),
        )
        try:
            assert process.stdout is not None
            figures = told(process.stdout)
            if figures is None:
                errors.seek(0)
                raise Failed(_last_words(errors.read()) or "the server did not start")
            yield process.pid, int(figures["port"])
            if process.poll() is not None:
                raise Failed(f"the server ended by itself, exit code {process.returncode}")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()


@contextlib.contextmanager
def collector(processor: int) -> Generator[str]:
    """The OTLP address of a collector of our own, with this interpreter."""
    with tempfile.TemporaryDirectory(prefix="peeps-bench-") as directory:
        program = [str(Path(sys.executable).with_name("peeps"))]
        variables = os.environ | on_free_ports(Path(directory, "peeps.duckdb"))
        started = CollectorProcess(program, Path(directory, "ready.json"), variables, before_exec=bound_to(processor))
        try:
            try:
                addresses = started.wait()
            except Ended as ended:
                raise Failed(str(ended)) from None
            yield addresses["grpc"][0]
        finally:
            started.process.terminate()
            started.process.wait()


def _last_words(text: str) -> str:
    """The error of a traceback, or the last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "")[:200]

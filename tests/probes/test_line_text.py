# SPDX-License-Identifier: Apache-2.0
"""The text of lines: of the program's own files, as they were when it began, and nothing of it is run."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from peeps_otel.probes.source.line_text import LineTexts, SourceText

LATER_NS = time.time_ns() + 10**18  # a process that begins after every file was written


@pytest.fixture
def texts() -> LineTexts:
    return LineTexts(LATER_NS)


def written(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_a_line_comes_with_two_before_and_behind(tmp_path: Path, texts: LineTexts) -> None:
    file = written(tmp_path / "app.py", "one", "two", "    three", "\tfour", "five", "six")
    assert texts.around(file, 3) == SourceText(1, ("one", "two", "    three", "    four", "five"))
    assert texts.around(file, 1) == SourceText(1, ("one", "two", "    three"))
    assert texts.around(file, 6) == SourceText(4, ("    four", "five", "six"))
    assert texts.around(file, 7) is None
    assert texts.around(file, 0) is None


def test_empty_lines_at_the_end_are_left_out(tmp_path: Path, texts: LineTexts) -> None:
    file = written(tmp_path / "app.py", "a", "", "wait()", "", "", "b")
    assert texts.around(file, 3) == SourceText(1, ("a", "", "wait()"))


def test_what_is_no_file_of_the_program_is_not_read(tmp_path: Path, texts: LineTexts) -> None:
    assert texts.around(os.__file__, 3) is None  # the standard library
    assert texts.around(pytest.__file__, 3) is None  # a library
    assert texts.around("<string>", 1) is None
    assert texts.around("app.py", 1) is None  # relative to what it was then
    assert texts.around(str(tmp_path), 1) is None
    assert texts.around(str(tmp_path / "not there.py"), 1) is None
    assert texts.around("/a\0b.py", 1) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_by_the_name_of_a_file_does_not_keep_the_thread(tmp_path: Path, texts: LineTexts) -> None:
    os.mkfifo(tmp_path / "app.py")
    assert texts.around(str(tmp_path / "app.py"), 1) is None


def test_a_file_that_was_changed_since_is_not_what_runs(tmp_path: Path) -> None:
    file = written(tmp_path / "app.py", "wait()")
    changed_ns = os.stat(file).st_mtime_ns
    assert LineTexts(changed_ns).around(file, 1) == SourceText(1, ("wait()",))
    assert LineTexts(changed_ns - 1).around(file, 1) is None


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("connect(password='hunter2', user='shop')", "connect(password='…', user='shop')"),
        ('API_KEY = "sk-1"', "API_KEY = '…'"),
        ('db_secret: str = "x"', "db_secret: str = '…'"),
        ('{"auth_token": "abc", "a": "b"}', '{"auth_token": \'…\', "a": "b"}'),
        ("headers['x-token'] = f'{a}'", "headers['x-token'] = f'…'"),
        ("key(api_key='a\\'b')", "key(api_key='…')"),
        ("connect('postgres://shop:hunter2@db/shop')", "connect('postgres://shop:…@db/shop')"),
        ("async with self.lock:  # token", "async with self.lock:  # token"),
        ("x = '" + "y" * 300, "x = '" + "y" * 194 + "…"),
        ("caf\udce9()", "caf\ufffd()"),
    ],
)
def test_a_line_is_cut_and_what_it_calls_a_secret_is_left_out(
    tmp_path: Path, texts: LineTexts, line: str, shown: str
) -> None:
    file = tmp_path / "app.py"
    file.write_bytes(line.encode("utf-8", "surrogateescape"))
    assert texts.around(str(file), 1) == SourceText(1, (shown,))

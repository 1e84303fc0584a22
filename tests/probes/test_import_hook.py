# SPDX-License-Identifier: Apache-2.0
"""Word of a module when it is imported: once, in time, and with nothing of ours left on the module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
import wrapt

from peeps_otel.probes.patches.import_hook import when_imported

NAME = "a_module_for_the_import_hook"


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that can be imported, and has not been."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    source = tmp_path / f"{NAME}.py"
    source.write_text("here = 1\n")
    importlib.invalidate_caches()
    yield source
    sys.modules.pop(NAME, None)


def test_word_comes_when_the_module_has_run() -> None:
    told: list[int] = []
    when_imported(NAME, lambda: told.append(sys.modules[NAME].here))
    assert told == []
    importlib.import_module(NAME)
    assert told == [1]
    importlib.reload(sys.modules[NAME])
    del sys.modules[NAME]
    importlib.import_module(NAME)
    assert told == [1], "once"


def test_a_module_that_is_there_already() -> None:
    importlib.import_module(NAME)
    told: list[str] = []
    when_imported(NAME, lambda: told.append("at once"))
    assert told == ["at once"]


def test_the_module_keeps_its_own_loader() -> None:
    when_imported(NAME, lambda: None)
    module = importlib.import_module(NAME)
    spec = module.__spec__
    assert spec is not None
    assert (type(spec.loader), type(module.__loader__)) == (SourceFileLoader, SourceFileLoader)


def test_who_only_asks_where_it_is_does_not_import_it() -> None:
    told: list[str] = []
    when_imported(NAME, lambda: told.append("imported"))
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    loader: Any = spec.loader  # ours, which has what the real one has
    assert loader.get_source(NAME) == "here = 1\n"
    assert told == []


def test_a_failing_receiver_does_not_fail_the_import() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    when_imported(NAME, fail)
    assert importlib.import_module(NAME).here == 1


def test_a_failing_import_fails_as_it_would_and_counts_for_nothing(module: Path) -> None:
    told: list[str] = []
    when_imported(NAME, lambda: told.append("imported"))
    module.write_text("raise ZeroDivisionError\n")
    with pytest.raises(ZeroDivisionError):
        importlib.import_module(NAME)
    assert told == []
    module.write_text("here = 12\n")
    importlib.invalidate_caches()
    importlib.import_module(NAME)
    assert told == ["imported"]


def test_undone() -> None:
    told: list[str] = []
    when_imported(NAME, lambda: told.append("imported"))()
    importlib.import_module(NAME)
    assert told == []


def test_beside_a_hook_of_another_library() -> None:
    told: list[str] = []
    wrapt.register_post_import_hook(lambda _module: told.append("theirs, before"), NAME)
    when_imported(NAME, lambda: told.append("ours"))
    wrapt.register_post_import_hook(lambda _module: told.append("theirs, after"), NAME)
    importlib.import_module(NAME)
    assert sorted(told) == ["ours", "theirs, after", "theirs, before"]


def test_the_program_s_own_finder_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            asked.append(name)
            return None

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    when_imported(NAME, lambda: None)
    importlib.import_module(NAME)
    assert NAME in asked

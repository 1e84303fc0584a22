# SPDX-License-Identifier: Apache-2.0
"""One table says on which versions our private knowledge was checked; no adapter says it for itself."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from peeps_otel.probes import internals
from peeps_otel.probes.internals import frame_memory, versions
from peeps_otel.probes.library import Library
from peeps_otel.probes.library_registry import LIBRARIES, Deferred

_HERE = Path(internals.__path__[0])
_ADAPTERS = sorted(file.stem for file in _HERE.glob("[!_]*.py") if file.stem != "versions")
_LITERAL = re.compile(r"[Cc]hecked (?:on|with) [^.\n]*\d+\.\d+")


@pytest.mark.parametrize("adapter", _ADAPTERS)
def test_an_adapter_takes_what_it_was_checked_on_from_the_table(adapter: str) -> None:
    checked: dict[str, tuple[str, ...]] = import_module(f"{internals.__name__}.{adapter}").CHECKED_ON
    assert checked == {name: versions.TABLE[name] for name in checked}


def test_no_version_is_written_down_elsewhere() -> None:
    probes = _HERE.parent
    said = [str(file.relative_to(probes)) for file in probes.rglob("*.py") if _LITERAL.search(file.read_text("utf-8"))]
    assert said == []


def test_the_layout_of_frames_is_known_for_every_python_that_was_checked() -> None:
    sizes = frame_memory._CHECKED  # pyright: ignore[reportPrivateUsage]  # the table is what is looked at
    assert tuple(sizes) == versions.minor(versions.CPYTHON)


_ALL = [one for each in LIBRARIES for one in (each.load() if isinstance(each, Deferred) else (each,))]


@pytest.mark.parametrize("library", [one for one in _ALL if one.distribution], ids=lambda one: one.name)
def test_a_library_is_checked_on_what_the_table_says(library: Library) -> None:
    row = library.name if library.name in versions.TABLE else library.distribution
    assert library.checked == versions.TABLE[row]

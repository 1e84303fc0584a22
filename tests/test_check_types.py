# SPDX-License-Identifier: Apache-2.0
"""Which files have their types checked again. A file that is left out though its types may be others would be found out
by the next one who changes it."""

from __future__ import annotations

import pytest

from scripts.check_types import Checked, stale

_TEXTS = {
    "peeps_otel/__init__.py": "",
    "peeps_otel/model/__init__.py": "from .node import Node",
    "peeps_otel/model/node.py": "class Node: ...",
    "peeps_otel/probes/probe.py": "from ..model import Node",
    "peeps_otel/local.py": "def verdict():\n    from .probes import probe",
    "peeps_otel/version.py": "",
    "collector/peeps_collector/cli/why.py": "import peeps_otel.version\nfrom . import client as of",
    "collector/peeps_collector/cli/client.py": "from peeps_otel import version",
    "tests/test_probe.py": "from peeps_otel.probes.probe import Probe",
}


def _checked(**changed: str | None) -> dict[str, Checked]:
    texts = _TEXTS | {name.replace("__", "/") + ".py": text for name, text in changed.items()}
    return {name: Checked.read(name, text) for name, text in texts.items() if text is not None}


_BEFORE = _checked()


def test_where_nothing_changed_nothing_is_checked() -> None:
    assert stale(_BEFORE, _checked()) == set()


def test_a_changed_file_and_who_imports_it_also_by_way_of_a_package_and_within_a_function() -> None:
    assert stale(_BEFORE, _checked(peeps_otel__model__node="class Node: x: int")) == {
        "peeps_otel/model/node.py",
        "peeps_otel/model/__init__.py",
        "peeps_otel/probes/probe.py",
        "peeps_otel/local.py",
        "tests/test_probe.py",
    }


def test_a_file_that_nobody_imports_is_checked_alone() -> None:
    assert stale(_BEFORE, _checked(peeps_otel__local="x = 1")) == {"peeps_otel/local.py"}


def test_a_module_is_found_however_it_is_imported() -> None:
    both = {"collector/peeps_collector/cli/client.py", "collector/peeps_collector/cli/why.py"}
    assert stale(_BEFORE, _checked(peeps_otel__version="VERSION = 1")) == {"peeps_otel/version.py", *both}
    assert stale(_BEFORE, _checked(collector__peeps_collector__cli__client="")) == both


def test_who_imports_what_is_gone_or_new() -> None:
    assert stale(_BEFORE, _checked(peeps_otel__probes__probe=None)) == {"peeps_otel/local.py", "tests/test_probe.py"}
    before = _checked(peeps_otel__probes__probe=None)
    assert stale(before, _BEFORE) == {"peeps_otel/probes/probe.py", "peeps_otel/local.py", "tests/test_probe.py"}


def test_the_first_time_all_are_checked() -> None:
    assert stale({}, _BEFORE) == set(_BEFORE)


@pytest.mark.parametrize(
    ("first", "second", "shows"),
    [
        ("def f(x: int) -> int:\n    y = x\n    return y", "def f(x: int) -> int:\n    z = 2\n    return z", False),
        ("def f(x: int) -> int:\n    y = x\n    return y", "def f(x: str) -> int:\n    y = 1\n    return y", True),
        ("def f(x: int):\n    y = x\n    return y", "def f(x: int):\n    y = str(x)\n    return y", True),
        (
            "class A:\n    def __init__(self) -> None:\n        n = 1\n        self.n = n",
            "class A:\n    def __init__(self) -> None:\n        n = ''\n        self.n = n",
            True,
        ),
        (
            "n = None\ndef f() -> None:\n    global n\n    n = 1",
            "n = None\ndef f() -> None:\n    global n\n    n = ''",
            True,
        ),
        ("class A:\n    async def f(self) -> None: ...", "class A:\n    async def f(self) -> None: print()", True),
        ("n = [1]", "n = ['']", True),
        ("# a comment\nn = [1]", "n = [1]", False),
    ],
)
def test_what_is_within_a_function_matters_to_others_only_where_it_shows(first: str, second: str, shows: bool) -> None:
    before, now = (_checked(peeps_otel__model__node=text) for text in (first, second))
    importers = {"peeps_otel/model/__init__.py", "peeps_otel/probes/probe.py", "peeps_otel/local.py"}
    expected = {"peeps_otel/model/node.py", *((*importers, "tests/test_probe.py") if shows else ())}
    assert stale(before, now) == expected

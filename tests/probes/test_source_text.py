# SPDX-License-Identifier: Apache-2.0
"""Names read from source lines."""

from __future__ import annotations

import dis
import linecache
from types import CodeType
from typing import Any

import pytest

from peeps_otel.probes.source import source_text

_numbers = iter(range(1_000))


def _compiled(text: str) -> CodeType:
    """The code of the first function in `text`, with its source where `linecache` finds it."""
    file = f"/made up/{next(_numbers)}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module = compile(text, file, "exec")
    stack = [module]
    while stack:
        code = stack.pop()
        inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        if code is not module and not inner:
            return code
        stack += inner
    raise AssertionError(text)


def _at(code: CodeType, fragment: str, last: bool = False) -> int:
    """The instruction whose position is exactly the text `fragment`."""
    lines = linecache.getlines(code.co_filename)
    found = -1
    for number, (first, end, column, end_column) in enumerate(code.co_positions()):
        if first is None or first != end or column is None:
            continue
        if lines[first - 1].encode()[column:end_column].decode() == fragment:
            found = 2 * number
            if not last:
                break
    assert found >= 0, fragment
    return found


@pytest.mark.parametrize(
    ("line", "call", "expected"),
    [
        ("db = Lock()", "Lock()", "db"),
        ("db: Lock = Lock()", "Lock()", "db"),
        ("self.db = Lock()", "Lock()", "Pool.db"),
        ("other.db = Lock()", "Lock()", "other.db"),
        ("locks['a'] = Lock()", "Lock()", "locks['a']"),
        ("db = wrap(Lock())", "Lock()", "db"),
        ("one = two = Lock()", "Lock()", "one"),
        ("a = 1; db = Lock()", "Lock()", "db"),
        ("Lock()", "Lock()", ""),
        ("use(Lock())", "Lock()", ""),
        ("a, b = Lock(), wrap(1)", "Lock()", "a"),
        ("a, b = wrap(1), Lock()", "Lock()", "b"),
        ("(a, self.b) = [wrap(1), Lock()]", "Lock()", "Pool.b"),
        ("a, *b = wrap(1), Lock()", "Lock()", ""),
        ("a, b = wrap(Lock())", "Lock()", ""),
        ("locks = [wrap(1), Lock()]", "Lock()", "locks[1]"),
        ("locks = {'a': wrap(1), 'b': Lock()}", "Lock()", "locks['b']"),
        ("locks = {other: Lock()}", "Lock()", "locks"),
        ("use(db := Lock())", "Lock()", "db"),
        ("größe = Lock()", "Lock()", "größe"),
    ],
)
def test_what_a_call_s_result_is_called(line: str, call: str, expected: str) -> None:
    code = _compiled(f"class Pool:\n    def make(self, other, locks):\n        {line}\n")
    assert source_text.assigned_name(code, _at(code, call)) == expected


def test_an_assignment_over_several_lines() -> None:
    code = _compiled("def f():\n    x = 1\n    locks = {\n        'a': wrap(),\n        'b': Lock(),\n    }\n")
    assert source_text.assigned_name(code, _at(code, "Lock()")) == "locks['b']"


def test_those_of_a_comprehension_share_a_name() -> None:
    code = _compiled("def f():\n    self.forks = [\n        Lock() for _ in range(5)\n    ]\n")
    inner = next((one for one in code.co_consts if isinstance(one, CodeType)), code)  # inlined since 3.12
    assert source_text.assigned_name(inner, _at(inner, "Lock()")) == "forks"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("queue.get()", "queue"),
        ("self.queue.put(1)", "queue"),
        ("self.pool.lock.acquire()", "pool.lock"),
        ("ready.wait()", "ready"),
        ("jobs.join()", "jobs"),
        ("future", "future"),
        ("self.future", "future"),
        ("asyncio.wait_for(ready.wait(), 1)", "ready"),
        ("wait_for(self.ready.wait(), timeout=1)", "ready"),
        ("asyncio.wait_for(asyncio.Event().wait(), 1)", ""),
        ("asyncio.wait_for(future, 1)", ""),
        ("asyncio.sleep(1)", ""),
        ("asyncio.gather(a, b)", ""),
        ("asyncio.Event().wait()", ""),
        ("make().wait()", ""),
        ("queues[0].get()", ""),
        ("client.fetch()", ""),
        ("condition.wait_for(predicate)", ""),
        ("run(1)", ""),
    ],
)
def test_what_is_awaited(expression: str, expected: str) -> None:
    code = _compiled(f"async def f(self):\n    await {expression}\n")
    assert source_text.awaited_name(code, _at(code, f"await {expression}")) == expected


@pytest.mark.parametrize(("iterated", "expected"), [("queue", "queue"), ("self.jobs", "jobs"), ("make()", "")])
def test_what_is_iterated(iterated: str, expected: str) -> None:
    code = _compiled(
        f"async def f(self, make):\n    async for item in {iterated}:\n        print(item)\n\n        item()\n"
    )
    sends = [one.offset for one in dis.get_instructions(code) if one.opname == "SEND"]
    assert [source_text.awaited_name(code, offset) for offset in sends] == [expected]


def test_with_items_around_a_line() -> None:
    text = (
        "async def f(self):\n"  # 1
        "    async with self.a, b as c:\n"  # 2
        "        with d():\n"  # 3
        "            x = 1\n"  # 4
        "        async with (\n"  # 5
        "            e,\n"  # 6
        "            g,\n"  # 7
        "        ):\n"  # 8
        "            y = 2\n"  # 9
        "    z = 3\n"  # 10
    )
    code = _compiled(text)
    found = {line: [tuple(item) for item in source_text.with_items(code, line)] for line in range(1, 11)}
    outer = [(2, "self.a"), (2, "b")]
    assert found == {
        1: [],
        2: outer,
        3: [*outer, (3, "d()")],
        4: [*outer, (3, "d()")],
        5: outer,
        6: [*outer, (6, "e")],
        7: [*outer, (6, "e"), (7, "g")],
        8: [*outer, (6, "e"), (7, "g")],
        9: [*outer, (6, "e"), (7, "g")],
        10: [],
    }


def test_with_items_behind_branches() -> None:
    text = (
        "async def f(kind):\n"
        "    try:\n"
        "        pass\n"
        "    except ValueError:\n"
        "        async with a:\n"
        "            x = 1\n"  # 6
        "    match kind:\n"
        "        case 1:\n"
        "            async with b:\n"
        "                y = 2\n"  # 10
    )
    code = _compiled(text)
    assert [item.text for item in source_text.with_items(code, 6)] == ["a"]
    assert [item.text for item in source_text.with_items(code, 10)] == ["b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db", "db"),
        ("self._lock", "_lock"),
        ("self._lock.acquire()", "_lock"),
        ("a.b.c", "a.b.c"),
        ("locks[0]", ""),
        ("make()", ""),
        ("1", ""),
    ],
)
def test_expression_name(text: str, expected: str) -> None:
    assert source_text.expression_name(text) == expected


def test_without_source_there_are_no_names() -> None:
    namespace: dict[str, Any] = {}
    exec("async def f():\n    lock = Lock()\n    async with lock:\n        await lock.wait()\n", namespace)
    code = namespace["f"].__code__
    assert source_text.with_items(code, 4) == ()
    for lasti in range(0, len(code.co_code), 2):
        assert source_text.assigned_name(code, lasti) == ""
        assert source_text.awaited_name(code, lasti) == ""


def test_lines_of_instructions() -> None:
    code = _compiled("def f():\n    a = 1\n    return a\n")
    assert source_text.line_of(code, len(code.co_code) - 2) == 3
    assert source_text.line_of(code, 10_000) == 1
    assert source_text.source_of(code, len(code.co_code) - 2) == f"{code.co_filename}:3"
    assert source_text.defined_at(code) == f"{code.co_filename}:1"

# SPDX-License-Identifier: Apache-2.0
"""The bytecode of a good part of the standard library: the depth of the value stack is the same on every way to an
instruction, and is what the compiler's own tables say."""

from __future__ import annotations

import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from peeps_otel.probes.internals.instructions import effect
from peeps_otel.probes.threads.bytecode import Code, analysis

_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
_PACKAGES = [
    "asyncio/*.py",
    "concurrent/futures/*.py",
    "multiprocessing/*.py",
    "json/*.py",
    "logging/*.py",
    "threading.py",
]
_MODULES = ["[qs]*e*.py", "t[ya]*.py", "d[ia]*.py", "[acz]*p*.py"]
_ENDS = {
    "RETURN_VALUE",
    "RETURN_CONST",
    "RAISE_VARARGS",
    "RERAISE",
    "INTERPRETER_EXIT",
    "JUMP_FORWARD",
    "JUMP_BACKWARD",
}


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


@pytest.mark.parametrize("package", _PACKAGES + _MODULES)
def test_the_depth_of_the_stack_is_the_same_on_every_way(package: str) -> None:
    files = sorted(_LIBRARY.glob(package))
    assert files
    checked = blocks = 0
    for file in files:
        for code in _codes(compile(file.read_bytes(), str(file), "exec", dont_inherit=True)):
            found = Code(code)
            for number, op in enumerate(found.ops):
                depth = found.depths.get(op.offset)
                if depth is None:
                    continue  # no way leads there
                where = (code.co_qualname, op)
                checked += 1
                assert 0 <= depth <= code.co_stacksize, where
                target = found.target(number)
                if target is not None:
                    assert found.depths[target] == depth + effect(op, True), where
                if op.name not in _ENDS and op.name != "JUMP_BACKWARD_NO_INTERRUPT":
                    assert found.depths[found.ops[number + 1].offset] == depth + effect(op, False), where
                if op.name == "BEFORE_WITH":
                    blocks += 1
                    assert found.entering(op.offset) == depth - 1, where
                for block in found.with_blocks(op.offset):
                    assert block.slot < depth, where
    assert checked > 2000
    assert blocks > 0 or package == "json/*.py"


lock = threading.Lock()


def nested(first: threading.Lock, locks: dict[str, threading.Lock]) -> int:
    with first, lock:
        try:
            with locks["db"]:
                return len(locks)
        finally:
            first.locked()
    return 0


def test_the_blocks_around_an_instruction_by_name() -> None:
    found = analysis(nested.__code__)
    (call,) = [op for op in found.ops if op.name == "CALL" and op.argument == 1][:1]
    names = [
        path.text
        for block in found.with_blocks(call.offset)
        if block.entered_at is not None and (path := found.path_before(block.entered_at)) is not None
    ]
    assert names == ["locks['db']", "lock", "first"]


def bare(_self: object, flag: bool) -> None:
    lock.acquire()
    if flag:
        lock.release()
        print("without")
    else:
        print("with")
        lock.release()
    print("after")


def test_what_was_acquired_and_may_not_have_been_released() -> None:
    found = analysis(bare.__code__)
    (taken,) = [at for at, method, _ in found.calls_of(frozenset({"acquire"})) if method == "acquire"]
    released = frozenset(at for at, _, _ in found.calls_of(frozenset({"release"})))
    assert len(released) == 2
    prints = [
        op.offset
        for op in found.ops
        if op.name == "CALL" and op.argument == 1 and op.offset not in released and op.offset != taken
    ]
    assert [found.can_reach(taken, at, released) for at in prints] == [False, True, False]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="not read on this version")
def test_a_jump_over_more_than_256_instructions() -> None:
    body = "\n".join(f"        value = value + {number}" for number in range(400))
    text = f"def long(items, value):\n    for item in items:\n{body}\n    return value\n"
    space: dict[str, Any] = {}
    exec(compile(text, "long.py", "exec"), space)
    code = Code(space["long"].__code__)
    (back,) = [number for number, op in enumerate(code.ops) if op.name == "JUMP_BACKWARD"]
    target = code.target(back)
    assert target is not None
    assert code.op_at(target) is not None
    found = code.op_at(target)
    assert found is not None
    assert found.name == "FOR_ITER"

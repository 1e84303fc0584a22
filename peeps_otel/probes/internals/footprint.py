# SPDX-License-Identifier: Apache-2.0
"""What of a task changes when it goes on, as far as that can be seen at one moment: for who sees a process twice, with
nothing in it that counts steps.

Two that differ are of a task that has gone on. Two that are alike may be, too: memory is used again, though seldom by
all of it in the same places.
"""

from __future__ import annotations

import inspect
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, cast

from . import versions
from .asyncio_core import awaited_future

CHECKED_ON = versions.on("CPython")

_DEPTH_MOST = 200
_LOCALS_MOST = 100


def footprint(task: Any) -> int:
    """Of a suspended task of asyncio or Trio, in a copy of its process: asking makes frame objects, which stay with
    it."""
    is_trio = type(task).__module__.partition(".")[0] == "trio"
    seen: list[int] = [] if is_trio else [id(awaited_future(task))]
    link: Any = task.coro if is_trio else task.get_coro()
    for _ in range(_DEPTH_MOST):
        if link is None:
            break
        seen.append(id(link))
        if type(link) is CoroutineType:
            code, frame, link = link.cr_code, link.cr_frame, link.cr_await
        elif type(link) is GeneratorType:
            generator = cast("GeneratorType[Any, Any, Any]", link)
            code, frame, link = generator.gi_code, generator.gi_frame, cast("Any", generator.gi_yieldfrom)
        elif type(link) is AsyncGeneratorType:
            code, frame, link = link.ag_code, link.ag_frame, link.ag_await
        else:
            break
        if frame is not None:
            seen += _in(frame, code)
    return hash(tuple(seen))


def _in(frame: FrameType, code: CodeType) -> list[int]:
    """Where it stands, and where its own variables are. Those that others share are changed by them as well."""
    seen = [frame.f_lasti]
    if not code.co_flags & inspect.CO_OPTIMIZED:
        return seen
    shared = {*code.co_cellvars, *code.co_freevars}
    variables = frame.f_locals
    own = [name for name in code.co_varnames[:_LOCALS_MOST] if name not in shared and name in variables]
    return seen + [id(variables[name]) for name in own]

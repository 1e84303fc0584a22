# SPDX-License-Identifier: Apache-2.0
"""The tools, by the official package `mcp`: over stdio, or streamable HTTP on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from ..cli.client import Client, ClientError
from ..version import __version__
from .answers import Answers, Chain, Difference, Processes, Rows, Source, Verdict
from .attaching import AttachedVerdict, attached_verdict

T = TypeVar("T")

_INSTRUCTIONS = """\
Who waits for whom in running Python programs, and what is proven stuck. Begin with `why`: its sentence is the verdict,
and `open` of a finding is the line to open. PROVEN is never wrong; LIKELY: somebody unknown could end the wait;
SUSPECT: only long. `waits_of` follows one task or thread to who holds it up; `diff` says who has not moved; `source_of`
shows the lines. `attach` asks a process that does not report here. Where `unsure` is not empty, "nothing is stuck" is
not proven.\
"""


def server(client: Client) -> MCPServer:
    """Not yet running."""
    answers = Answers(client)
    made = MCPServer("peeps", version=__version__, instructions=_INSTRUCTIONS, log_level="WARNING")

    @made.tool(structured_output=True)
    async def why(process: str | None = None, wait_s: float = 0.0) -> Verdict:
        """What is stuck now, how sure that is, and which line to open. `process`: a pid, service name or id, all if not
        given. `wait_s`: ask again for so long, 60 at most, until something is stuck."""
        return await _asked(lambda: answers.why(process, min(max(wait_s, 0.0), 60.0)))

    @made.tool(structured_output=True)
    async def waits_of(name: str, process: str | None = None) -> Chain:
        """What a task, thread, lock or other thing waits for, who holds that, and so on to the end. `name`: as other
        answers have it, or an id."""
        return await _asked(lambda: answers.waits_of(name, process))

    @made.tool(structured_output=True)
    async def processes() -> Processes:
        """The programs that are watched, or were of late."""
        return await _asked(answers.processes)

    @made.tool(structured_output=True)
    async def diff(before: str = "-60s", process: str | None = None) -> Difference:
        """Who has moved since a moment, and who has not. `before`: -90s, -10m, -2h, or Unix nanoseconds."""
        return await _asked(lambda: answers.diff(before, process))

    @made.tool(structured_output=True)
    async def source_of(name: str, process: str | None = None) -> Source:
        """The lines of the program at which a finding (its id) or a task or thread (its name or id) is."""
        return await _asked(lambda: answers.source_of(name, process))

    @made.tool(structured_output=True)
    async def sql(statement: str) -> Rows:
        """One reading statement of DuckDB over the history, 200 rows at most; `SHOW TABLES` and `DESCRIBE finding` say
        what there is."""
        return await _asked(lambda: answers.sql(statement))

    @made.tool(structured_output=True)
    async def attach(pid: int | None = None, match: str | None = None, wait_s: float | None = None) -> AttachedVerdict:
        """What is stuck in a Python process of this machine that was started without peeps: by `pid`, or `match`, a
        part of its command line; with the Python processes that it has started. It is copied twice or more, and left as
        it was. Takes 2 s where something is stuck, else 5 to 17, or `wait_s`."""
        limit = None if wait_s is None else min(max(wait_s, 0.0), 120.0)
        return await _asked(lambda: attached_verdict(pid, match, limit))

    return made


async def _asked(question: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(question)
    except ClientError as error:
        raise ToolError(str(error)) from None

# SPDX-License-Identifier: Apache-2.0
"""Subinterpreters are left alone, quietly: threads, protobuf and much else are not to be had there."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from peeps_otel import agent
from peeps_otel.interpreter_internals import is_main

_PROGRAM = """
import sys
try:
    import _interpreters as interpreters
    def run(number, code):
        problem = interpreters.exec(number, code)
        assert problem is None, problem.formatted
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string

IN_SUB = '''
import sys
sys.path[:] = {path!r}
import peeps_otel
peeps_otel.init("sub")
from peeps_otel.instrumentor import post_instrument
post_instrument()
from peeps_otel.interpreter_internals import is_main
assert not is_main()
assert "peeps_otel.agent" not in sys.modules
import asyncio
assert not any("_peeps" in name for name in vars(asyncio.locks))
'''

def in_a_subinterpreter():
    number = interpreters.create()
    run(number, IN_SUB.format(path=sys.path))
    interpreters.destroy(number)

in_a_subinterpreter()
import peeps_otel
peeps_otel.init("main")
from peeps_otel import agent
assert agent.running() is not None
in_a_subinterpreter()
import asyncio
async def main():
    async with asyncio.Lock():
        await asyncio.sleep(0)
asyncio.run(main())
print("done")
"""


def test_a_subinterpreter_is_left_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(_PROGRAM)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


def test_this_one_is_the_main_one() -> None:
    assert is_main()
    assert callable(agent.start)

# SPDX-License-Identifier: Apache-2.0
"""Runs a program of the catalogue, which knows nothing of it, on uvloop: `python on_uvloop.py program.py`."""

import asyncio
import runpy
import sys

import uvloop

if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # pyright: ignore[reportDeprecated]  for `asyncio.run`
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")

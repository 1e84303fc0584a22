# SPDX-License-Identifier: Apache-2.0
"""Build steps gather their dependencies, and one dependency was declared the wrong way round."""

import asyncio

steps: dict[str, asyncio.Task[str]] = {}
NEEDS = {"compile": ["configure"], "configure": ["fetch"], "fetch": ["compile"]}


async def step(name: str) -> str:
    await asyncio.sleep(0.02)
    await asyncio.gather(*(steps[other] for other in NEEDS[name]))  # <- gathers
    return name


async def main() -> None:
    for name in NEEDS:
        steps[name] = asyncio.create_task(step(name), name=name)
    await asyncio.wait(steps.values())


asyncio.run(main())

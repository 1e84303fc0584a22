# SPDX-License-Identifier: Apache-2.0
"""From a seed to a program."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

from .program import Program, Scene, assemble
from .scenes import SCENES


def program(seed: int, only: str = "", without: Collection[str] = ()) -> Program:
    """The same for the same seed on every Python. `only`: of this kind of scene alone. `without`: scenes (`scene0`) and
    actors that are left out, to make it smaller."""
    rng = Random(seed)
    known = [(play, weight) for play, weight in SCENES if not only or play.__name__ == only]
    chosen = rng.choices([play for play, _ in known], [weight for _, weight in known], k=rng.choice([1, 1, 1, 2, 3]))
    scenes: list[Scene] = []
    for number, play in enumerate(chosen):
        own = Random(f"{seed}/{number}")
        scene = Scene(number, is_global=own.random() < 0.5, kinds=[play.__name__])
        play(own, scene)
        scene.actors = [actor for actor in scene.actors if actor.name not in without]
        if f"scene{number}" not in without:
            scenes.append(scene)
    return assemble(Random(f"{seed}/main"), seed, scenes)


def parts(seed: int, only: str = "") -> list[str]:
    """What can be left out of the program of a seed, the largest first."""
    text = program(seed, only).text
    scenes = [line[4:-3] for line in text.splitlines() if line.startswith("def scene")]
    actors = [
        line.split("def ")[1][:-3] for line in text.splitlines() if line.startswith(("    def ", "    async def "))
    ]
    return [*scenes, *actors]

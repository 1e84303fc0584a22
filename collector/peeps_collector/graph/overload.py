# SPDX-License-Identifier: Apache-2.0
"""Whether so much wants to run on this machine that who does not speak may merely not have had his turn."""

from __future__ import annotations

import os

_EACH_MOST = 8  # that want to run, for each processor


def is_overloaded() -> bool:
    """By what wants to run at this moment, or has in the last minute; False where the system does not tell."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            of_late, _, _, now, *_ = file.read().split()
        wants = max(float(of_late), float(now.partition("/")[0]))
    except (OSError, ValueError):
        return False
    return wants >= _EACH_MOST * (os.cpu_count() or 1)

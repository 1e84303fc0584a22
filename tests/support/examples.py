# SPDX-License-Identifier: Apache-2.0
"""How many examples Hypothesis makes up for a test: all of them, or a tenth where it is run before each commit."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

QUICK = "quick"
"""The profile that `make check` asks for, with `--hypothesis-profile`."""
_OF_ALL = 100  # what Hypothesis makes up where nobody says how many


def register() -> None:
    """To be called before pytest loads the profile that is asked for."""
    slow = [HealthCheck.too_slow]  # so is a busy machine
    settings.register_profile(QUICK, max_examples=_OF_ALL // 10, deadline=None, suppress_health_check=slow)


def examples(of_all: int) -> int:
    """To be asked where a test is defined: by then the profile is loaded."""
    return max(1, of_all * settings().max_examples // _OF_ALL)

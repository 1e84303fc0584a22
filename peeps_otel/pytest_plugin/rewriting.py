# SPDX-License-Identifier: Apache-2.0
"""pytest rewrites the assertions of every module of a distribution that has a plugin. Ours are many, and are loaded
while a test hangs: rewriting would take seconds."""

from __future__ import annotations

import pytest


def leave_as_it_is(config: pytest.Config) -> None:
    """Where pytest keeps its marks elsewhere one day, loading takes longer, and that is all."""
    hook: object = getattr(config.pluginmanager, "rewrite_hook", None)
    marked: set[str] = getattr(hook, "_must_rewrite", set[str]())
    marked -= {name for name in marked if name.partition(".")[0] == "peeps_otel"}

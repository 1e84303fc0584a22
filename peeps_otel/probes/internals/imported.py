# SPDX-License-Identifier: Apache-2.0
"""Whether an import of the program has come to its end: by a private mark of `importlib`."""

from __future__ import annotations

import sys

from . import versions

CHECKED_ON = versions.on("CPython")


def is_complete(name: str) -> bool:
    """False while a module is being imported, and where nobody has imported it."""
    module = sys.modules.get(name)
    return module is not None and not getattr(vars(module).get("__spec__"), "_initializing", False)

# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the extension, and the version that all our packages have."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import Extension, setup

_HERE = Path(__file__).parent
_SHARED = _HERE.parent / "peeps_otel" / "version.py"
_TOLD = _HERE / "PKG-INFO"  # in a source distribution, which has only this folder


def version() -> str:
    pattern = r'^__version__ = "(.+)"' if _SHARED.is_file() else r"^Version: (.+)"
    found = re.search(pattern, (_SHARED if _SHARED.is_file() else _TOLD).read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise RuntimeError("no version is told")
    return found[1]


setup(
    version=version(),
    ext_modules=[
        Extension(
            "peeps_otel_native._native",
            [f"peeps_otel_native/{name}.c" for name in ("heap", "closure", "blocked", "flood", "reach")],
            depends=["peeps_otel_native/heap.h", "peeps_otel_native/blocked.h", "peeps_otel_native/flood.h"],
            extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra"],
        )
    ],
)

# SPDX-License-Identifier: Apache-2.0
"""In which namespaces of Linux this process is: two containers of one host may call different files and addresses by
the same name."""

from __future__ import annotations

import os

_KINDS = ("mnt", "net")


def namespaces() -> tuple[str, ...]:
    """Those in which files and addresses have their names; nothing where that cannot be read."""
    found: list[str] = []
    for kind in _KINDS:
        try:
            found.append(os.readlink(f"/proc/self/ns/{kind}"))
        except OSError:
            continue
    return tuple(found)

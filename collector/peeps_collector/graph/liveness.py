# SPDX-License-Identifier: Apache-2.0
"""Whether a process of this machine still exists: a killed one says no goodbye."""

from __future__ import annotations

import os
import socket

from ..decode.resource import ProcessInfo

_HOST = socket.gethostname()


def is_alive(info: ProcessInfo) -> bool:
    """False only where the process is known to be of this host and its pid is free. Another pid namespace under the
    same host name can make this wrong, so it is asked only about a process that has fallen silent."""
    if info.pid is None or info.pid <= 0 or info.host != _HOST or os.name == "nt":
        return True
    try:
        os.kill(info.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

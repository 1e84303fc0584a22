# SPDX-License-Identifier: Apache-2.0
"""Whether a process may be attached to, asked from outside alone: no signal, no stop, nothing written."""

from __future__ import annotations

import os
import platform
import sys

from . import kernel_view
from .refused import Refused

_PTRACE = 1 << 19  # CAP_SYS_PTRACE


def check(pid: int) -> dict[str, str]:
    """The lines of its `status`. Raises Refused."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise Refused(
            f"attaching is shown to be safe on Linux x86-64 alone, not on {sys.platform} {platform.machine()}"
        )
    status = kernel_view.status(pid)
    if not status:
        raise Refused("there is no such process")
    state = status.get("State", "?")
    if state[:1] in "ZX":
        raise Refused("it has ended and waits for its parent to notice")
    if state[:1] in "Tt":
        raise Refused(f"it is stopped; let it go on with `kill -CONT {pid}`")
    tracer = int(status.get("TracerPid", "0"))
    if tracer:
        name = kernel_view.read_text(f"/proc/{tracer}/comm").strip()
        raise Refused(f"{name or 'another program'} (pid {tracer}) traces it already; end that first")
    if "shstk" in status.get("x86_Thread_features", ""):
        raise Refused("it runs with a shadow stack, which a written stack frame does not pass")
    if kernel_view.inner_id(status, pid) == 1:
        raise Refused(
            "it is process 1 of its container, which inherits the copies that look: start it below an init "
            "(`docker run --init`, `shareProcessNamespace: true`)"
        )
    if not kernel_view.same_namespace(pid, "time"):
        raise Refused("it is in another time namespace: its clock is not ours")
    return status


def wrong_rights(pid: int, status: dict[str, str], error: OSError) -> Refused:
    """Which right is missing, and how to get it."""
    owner = int(status.get("Uid", "0").split()[0])
    command = f"`sudo {sys.executable} -m peeps_otel.attach {pid}`"
    if owner != os.geteuid() and not _may_trace_all():
        return Refused(f"it belongs to user {owner} and we are {os.geteuid()}: run {command}")
    scope = kernel_view.read_text("/proc/sys/kernel/yama/ptrace_scope").strip()
    if scope == "3":
        return Refused("this machine forbids tracing (kernel.yama.ptrace_scope is 3) until it boots again")
    if scope in ("1", "2") and not _may_trace_all():
        return Refused(
            f"this machine forbids tracing to users (kernel.yama.ptrace_scope is {scope}): run {command}, "
            "or `sudo sysctl kernel.yama.ptrace_scope=0`"
        )
    if isinstance(error, ProcessLookupError):
        return Refused("it has ended")
    return Refused(
        f"the kernel forbids it ({error.strerror}): in a container add the capability SYS_PTRACE "
        "(`docker run --cap-add=SYS_PTRACE`), and allow `ptrace` in its seccomp profile"
    )


def _may_trace_all() -> bool:
    return bool(int(kernel_view.status(os.getpid()).get("CapEff", "0"), 16) & _PTRACE)

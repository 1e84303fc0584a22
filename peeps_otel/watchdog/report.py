# SPDX-License-Identifier: Apache-2.0
"""One report of the sidecar: what is wrong with the program, in words, with its stacks, over OTLP/HTTP.

Runs in a process that lives for this one report, so it may import what it likes.
"""

from __future__ import annotations

import json
import os
import ssl
import time
import urllib.request
from typing import Any, NamedTuple, cast

from .. import semconv
from ..probes.source.ownership import Ownership
from . import evidence, proc, stacks
from .outcome import FAILED, TAKEN, WITHOUT_STACKS
from .page import BYE, BYTES, NO_DUMP, Page

_SETTLED_S, _DUMP_MOST_S = 0.15, 2.0
_TIMEOUT_S = 5.0
_BODY_MOST = 64_000
_ERROR, _INFO = (17, "ERROR"), (9, "INFO")
_STATES = {
    "R": ("running", "it runs, but no Python thread gets the interpreter"),
    "S": ("sleeping", "it sleeps in a system call, and no Python thread gets the interpreter"),
    "D": ("uninterruptible", "it waits in the kernel, for a disk or a network file system"),
    "T": ("stopped", "it is stopped (SIGSTOP or Ctrl-Z); SIGCONT lets it go on"),
    "t": ("stopped", "it is stopped by a debugger"),
}


class Facts(NamedTuple):
    """`tid`, `signum`: who writes the stacks, and on what; `fd`: where to. `since_ns`, `beat_ns`: the last beat before
    the silence, and the last of all. `oom_kills`: how many there had been shortly before."""

    pid: int
    tid: int
    signum: int
    fd: int
    since_ns: int
    beat_ns: int
    oom_kills: int


def tell(page: Page, what: str, facts: Facts) -> int:
    """Makes and delivers one report: `silent`, `resumed`, `gone`, or `replaced` by another program.

    TAKEN; WITHOUT_STACKS: taken, but a later attempt might have stacks; FAILED.
    """
    announced: dict[str, Any] = json.loads(page.announcement)
    who = f"{announced['service']} (pid {facts.pid})"
    attributes: dict[str, Any] = {"peeps.silent.since": facts.since_ns}
    severity, extra = _ERROR, ""
    if what == "silent":
        attributes["process.state"], title, seen, extra = _silent(page, facts, Ownership(**announced["ownership"]))
        title = f"{who} is silent: {title}"
        attributes |= seen
        if page.beat_ns != facts.beat_ns:
            return FAILED  # it spoke while we looked
    elif what == "resumed":
        severity = _INFO
        attributes |= {"process.state": "running", "peeps.silent.until": facts.beat_ns}
        title = f"{who} speaks again after {(facts.beat_ns - facts.since_ns) / 1e9:.1f} s"
    elif what == "replaced":
        severity = _INFO
        attributes["process.state"] = "defunct"
        title = f"{who} became another program (exec)"
    else:
        killed = proc.oom_kills() > facts.oom_kills
        severity = _ERROR if killed else _INFO
        attributes["process.state"] = "defunct"
        title = f"{who} ended without a goodbye"
        if killed:
            title += "; the kernel was killing processes for want of memory at that time"
    said = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(facts.since_ns // 1_000_000_000))
    body = f"{title}\nlast heard of at {said} UTC{extra}"[:_BODY_MOST]
    if not _post(announced, _request(announced, severity, body, attributes)):
        return FAILED
    hoped = what == "silent" and attributes["process.state"] != "stopped" and not page.has(NO_DUMP)
    return WITHOUT_STACKS if hoped and "code.stacktrace" not in attributes else TAKEN


def _silent(page: Page, facts: Facts, ownership: Ownership) -> tuple[str, str, dict[str, Any], str]:
    """The state, the sentence, attributes of the thread to look at, and all stacks as text."""
    seen = evidence.gather(facts.pid, facts.tid)
    state, words = _STATES.get(seen.letter, ("sleeping", "it does not say anything"))
    text = _dump(page, facts, seen.stands_still)
    found = stacks.read(text, page.threads.decode(errors="replace"))
    one = stacks.to_look_at(found, seen.busiest)
    if one is None:
        return state, words, {}, ""
    ours = stacks.own_frame(one, ownership)
    attributes: dict[str, Any] = {
        "thread.id": one.ident,
        semconv.CODE_STACKTRACE: stacks.as_traceback(one),
        semconv.STACK_LIBRARIES: [ownership.library(frame.file) for frame in reversed(one.frames)],
    }
    if ours is not None:
        attributes |= {
            semconv.CODE_FUNCTION_NAME: ours.function,
            semconv.CODE_FILE_PATH: ours.file,
            semconv.CODE_LINE_NUMBER: ours.line,
        }
    if one.name is not None:
        attributes["thread.name"] = one.name
    all_of_them = "".join(
        f"\n\n{stack.name or 'thread'} (0x{stack.ident:x}):\n{stacks.as_traceback(stack)}"
        for stack in sorted(found, key=lambda stack: stack is not one)
    )
    return state, f"{words}: {stacks.place(one, ownership)}", attributes, all_of_them


def _dump(page: Page, facts: Facts, stands_still: bool) -> str:
    """The stacks of this silence, as faulthandler writes them; empty where they cannot be had.

    The signal goes to the program's own watchdog thread alone, so no system call of the program is interrupted; and
    only while the interpreter stands still (a stopped process would write when it goes on again).
    """
    beats = page.beats
    end = page.dump_end(beats)
    if end is None:
        if not stands_still or page.has(NO_DUMP) or not proc.catches(facts.pid, facts.signum):
            return ""
        os.ftruncate(facts.fd, BYTES)
        os.lseek(facts.fd, BYTES, os.SEEK_SET)  # the program's offset too: it is the same open file
        if page.beats != beats or page.has(BYE) or not _signal(facts):
            return ""
        end = _settled(facts.fd)
        page.dumped(beats, end)
    return os.pread(facts.fd, end - BYTES, BYTES).decode(errors="replace")


def _signal(facts: Facts) -> bool:
    import ctypes

    return ctypes.CDLL(None).tgkill(facts.pid, facts.tid, facts.signum) == 0


def _settled(fd: int) -> int:
    """The size of the file once it has not grown for a moment: a dump has no end mark."""
    size, still, waited = BYTES, 0.0, 0.0
    while waited < _DUMP_MOST_S and (size == BYTES or still < _SETTLED_S):
        time.sleep(0.02)
        waited += 0.02
        now = os.fstat(fd).st_size
        still = still + 0.02 if now == size else 0.0
        size = now
    return size


def _request(announced: dict[str, Any], severity: tuple[int, str], body: str, attributes: dict[str, Any]) -> bytes:
    """One log record in an OTLP export request, as JSON."""
    now = str(time.time_ns())
    record = {
        "timeUnixNano": now,
        "observedTimeUnixNano": now,
        "severityNumber": severity[0],
        "severityText": severity[1],
        "eventName": announced["event"],
        "body": {"stringValue": body},
        "attributes": _pairs(attributes),
    }
    block = {
        "resource": {"attributes": _pairs(announced["resource"])},
        "scopeLogs": [{"scope": announced["scope"], "schemaUrl": announced["schema_url"], "logRecords": [record]}],
    }
    return json.dumps({"resourceLogs": [block]}).encode()


def _pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in cast("list[Any]", value)]}}
    return {"stringValue": str(value)}


def _post(announced: dict[str, Any], content: bytes) -> bool:
    """Whether the endpoint took it."""
    os.environ.update(announced["environment"])  # proxies
    handlers: list[urllib.request.BaseHandler] = []
    if announced["endpoint"].startswith("https:"):
        context = ssl.create_default_context(cafile=announced["certificate"])
        if announced["client_certificate"]:
            context.load_cert_chain(announced["client_certificate"], announced["client_key"])
        handlers.append(urllib.request.HTTPSHandler(context=context))
    headers = {"Content-Type": "application/json", **announced["headers"]}
    request = urllib.request.Request(f"{announced['endpoint']}/v1/logs", content, headers)
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT_S) as answer:
            return 200 <= answer.status < 300
    except OSError:  # refused, not reachable, an error status, TLS
        return False

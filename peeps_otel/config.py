# SPDX-License-Identifier: Apache-2.0
"""Every environment variable the watched program reads, in one table."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .diagnosis.rules.settings import BadRules, RuleSettings, parse

UNSAMPLED_PER_S = 100
_SIGNALS = frozenset({"traces", "logs", "metrics"})
_NOT_TO_TAKE = {
    int(getattr(signal, name))
    for name in (
        "SIGKILL",
        "SIGSTOP",
        "SIGCHLD",
        "SIGSEGV",
        "SIGBUS",
        "SIGFPE",
        "SIGILL",
        "SIGABRT",
        "SIGINT",
        "SIGTERM",
    )
    if hasattr(signal, name)
}


class Variable(NamedTuple):
    """`field`: the field of `Config`; `default` as it would be written; `meaning` for the documentation; `alias`: an
    older name, which counts where the first is not set."""

    name: str
    field: str
    default: str
    parse: Callable[[str], object]
    meaning: str
    alias: str = ""


class BadValue(ValueError):
    """Says what a value must look like."""


def _boolean(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise BadValue("must be true or false")


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise BadValue(f"must be a whole number from {low} to {high}")
        return value

    return parse


def _decimal(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise BadValue(f"must be a number from {low:g} to {high:g}")
        return value

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise BadValue(f"must be one of {', '.join(words)}")
        return text.lower()

    return parse


def _globs(text: str) -> tuple[str, ...]:
    return tuple(glob for part in text.split(",") if (glob := part.strip()))


def _address(text: str) -> str | None:
    """`host:port`, or a URL where TLS, gRPC or a path is wanted."""
    if not text:
        return None
    if text.startswith(("http://", "https://", "grpc://", "grpcs://")):
        return text.rstrip("/")
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadValue("must be host:port, for example 127.0.0.1:9119, or a URL")
    return f"http://{text}"


def _signals(text: str) -> frozenset[str]:
    words = frozenset(word for part in text.lower().split(",") if (word := part.strip()))
    if words == frozenset({"none"}):
        return frozenset()
    if words == frozenset({"all"}):
        return _SIGNALS
    if not words <= _SIGNALS:
        raise BadValue("must be all, none, or some of traces,logs,metrics")
    return words


def _per_second(text: str) -> int | None:
    """How many; None: all."""
    return None if text.lower() == "all" else UNSAMPLED_PER_S if _boolean(text) else 0


def _signals_to_take(text: str) -> tuple[int, ...]:
    """Their numbers."""
    return tuple(_signal_number(word) for part in text.split(",") if (word := part.strip()))


def _signal_number(word: str) -> int:
    name = word.upper() if word.upper().startswith("SIG") else f"SIG{word.upper()}"
    by_name = getattr(signal, name, None)
    number = int(word) if word.isdecimal() else int(by_name) if isinstance(by_name, signal.Signals) else 0
    if number not in set(map(int, signal.valid_signals())) or number in _NOT_TO_TAKE:
        raise BadValue("must be signals that a program may handle, such as USR1, with commas between them")
    return number


def _rules(text: str) -> RuleSettings:
    try:
        return parse(text)
    except BadRules as bad:
        raise BadValue(f"is wrong: {bad}") from None


VARIABLES: tuple[Variable, ...] = (
    Variable("PEEPS_ENABLED", "enabled", "true", _boolean, "false: do nothing at all"),
    Variable(
        "PEEPS_COLLECTOR_ENDPOINT",
        "collector_endpoint",
        "",
        _address,
        "`host:port` (or URL) of a peeps collector: snapshots go there, and our own events, spans and metrics; unset: "
        "no network of ours. What the program itself makes goes there only if `PEEPS_FORWARD` says so. "
        "`grpc://host:port` (`grpcs://` with TLS) pushes by OTLP/gRPC. `PEEPS_DASHBOARD` is an older name for it",
        alias="PEEPS_DASHBOARD",
    ),
    Variable(
        "PEEPS_FORWARD",
        "forward",
        "none",
        _signals,
        "`all`, or of `traces,logs,metrics` some: what the program's own OpenTelemetry set-up makes goes to "
        "`PEEPS_COLLECTOR_ENDPOINT` as well, in addition to its own exporters; that costs what exporting costs",
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "otlp_protocol",
        "http/protobuf",
        _one_of("grpc", "http/protobuf", "http/json"),
        "`grpc`: push by OTLP/gRPC, for which `peeps-otel[grpc]` must be installed; otherwise by HTTP",
    ),
    Variable("PEEPS_INTERVAL_MS", "interval_ms", "1000", _number(50, 60_000), "time between two looks"),
    Variable("PEEPS_KEY_FRAME_S", "key_frame_s", "30", _number(1, 3600), "time between two complete snapshots"),
    Variable(
        "PEEPS_NODES",
        "nodes",
        "matter",
        _one_of("matter", "all", "none"),
        "which nodes become readable `peeps.node` events: those in a finding or in a long wait, all, or none",
    ),
    Variable(
        "PEEPS_SNAPSHOTS",
        "snapshots",
        "false",
        _boolean,
        "true: `peeps.snapshot` events also go where the program's own log records go",
    ),
    Variable(
        "PEEPS_SPAN_TASK_MS", "span_task_ms", "1000", _number(0, 3_600_000), "tasks this long become spans; 0: none"
    ),
    Variable(
        "PEEPS_SPAN_WAIT_MS", "span_wait_ms", "100", _number(0, 3_600_000), "waits this long become spans; 0: none"
    ),
    Variable("PEEPS_STARVED_MS", "starved_ms", "2000", _number(100, 3_600_000), "a shorter wait is no starvation"),
    Variable(
        "PEEPS_RULES",
        "rules",
        "",
        _rules,
        "which findings are looked for, and from when on: `-order_risk,loop_blocked:2s` switches one off and sets the "
        "threshold of another, see docs/findings.md",
    ),
    Variable("PEEPS_RECORD", "record", "true", _boolean, "false: no function of the standard library is rewritten"),
    Variable(
        "PEEPS_LEAKS_EVERY_S",
        "leaks_every_s",
        "0",
        _number(0, 604_800),
        "how often to look unasked for tasks that nothing can wake, 3600 for once an hour; 0: only on request",
    ),
    Variable(
        "PEEPS_WATCHDOG",
        "watchdog",
        "true",
        _boolean,
        "false: no process beside the program that tells the collector when no Python can run (Linux only)",
    ),
    Variable(
        "PEEPS_PROBE_ASYNCIO", "probe_asyncio", "true", _boolean, "false: tasks and what they wait for are not read"
    ),
    Variable("PEEPS_PROBE_THREADS", "probe_threads", "true", _boolean, "false: threads and their locks are not read"),
    Variable(
        "PEEPS_SAMPLE_HZ",
        "sample_hz",
        "20",
        _number(0, 100),
        "samples of all threads in a second: stalled loops, long steps, profile; 0: none",
    ),
    Variable(
        "PEEPS_CPU_BUDGET_PERCENT",
        "cpu_budget_percent",
        "1",
        _decimal(0, 100),
        "processor time that watching may use in any minute, in percent of one core; looks are cut in slices and come "
        "less often to keep to it; 0: no limit",
    ),
    Variable(
        "PEEPS_BYTES_BUDGET",
        "bytes_budget",
        "65536",
        _number(0, 1 << 30),
        "bytes of snapshots in a second; over it, detail is left out and then looks come less often; 0: no limit",
    ),
    Variable(
        "PEEPS_DIAGNOSTICS",
        "diagnostics",
        "false",
        _boolean,
        "true: every step of every task is timed, with the stack that long ones end in; asyncio's own loop only",
    ),
    Variable(
        "PEEPS_HEAP",
        "heap",
        "true",
        _boolean,
        "false: never ask the heap, in a forked copy, who could end a wait, see docs/could-end.md",
    ),
    Variable(
        "PEEPS_EXCEPTION_MESSAGES",
        "exception_messages",
        "false",
        _boolean,
        "true: tell the text of an exception that ended a task or thread, not only its type; texts may hold secrets",
    ),
    Variable(
        "PEEPS_SOURCE",
        "source",
        "true",
        _boolean,
        "false: the text of the program's own lines is not sent to the collector, only their path and number",
    ),
    Variable(
        "PEEPS_LOCK_ORDER",
        "lock_order",
        "false",
        _boolean,
        "true: see every order in which asyncio locks are taken, not only those somebody waited in",
    ),
    Variable(
        "PEEPS_SUPPRESS",
        "suppress",
        "",
        str,
        "a TOML file with the order risks that somebody answers for, see docs/order-risks.md",
    ),
    Variable(
        "PEEPS_OWN",
        "own",
        "",
        _globs,
        "globs, with commas between them, of what is the program's own code although it is installed like a library: "
        "names of distributions or packages (`shop*`) or whole paths (`/srv/shop/*`)",
    ),
    Variable(
        "PEEPS_LIBRARY",
        "library",
        "",
        _globs,
        "the same for what is a library although it looks like the program's own",
    ),
    Variable(
        "PEEPS_REQUESTS", "requests", "true", _boolean, "false: unfinished spans of instrumentations are not looked at"
    ),
    Variable(
        "PEEPS_UNSAMPLED",
        "unsampled",
        "true",
        _per_second,
        f"true: of the spans that are sampled out, {UNSAMPLED_PER_S} a second are recorded here, for requests to be "
        "seen, and exported nowhere; `all`: all are, which costs what a recorded span costs; false: none",
    ),
    Variable(
        "PEEPS_IN_FLIGHT_MS",
        "in_flight_ms",
        "5000",
        _number(0, 3_600_000),
        "calls that last this long send `peeps.request.in_flight` events, see docs/requests.md; 0: none",
    ),
    Variable(
        "PEEPS_PENDING_SPANS",
        "pending_spans",
        "false",
        _boolean,
        "true: such a call sends a pending span too, in the form of Logfire, see docs/requests.md",
    ),
    Variable(
        "PEEPS_PROVIDERS",
        "providers",
        "true",
        _boolean,
        "false: functions given to `peeps_otel.register_provider` are not called, see docs/providers.md",
    ),
    Variable(
        "PEEPS_REPORT",
        "report",
        "",
        str,
        "`stderr` or a file (`%p` in its name: the pid): when something is stuck, the verdict is written there as "
        "text, see docs/run.md",
    ),
    Variable(
        "PEEPS_DUMP_SIGNAL",
        "dump_signal",
        "",
        _signals_to_take,
        "a signal (`USR1`, or several with commas between them) that has the verdict of now written there, to stderr "
        "where `PEEPS_REPORT` is not set; one that the program handles is left to it",
    ),
    Variable(
        "PEEPS_DUMP_FILE",
        "dump_file",
        "",
        str,
        "where such a verdict also leaves the whole picture, see docs/dumps.md (`%p`: the pid, `%t`: the time)",
    ),
    Variable("PEEPS_METRICS", "metrics", "true", _boolean, "false: no metrics"),
    Variable("PEEPS_PROTOCOL_TRACE", "protocol_trace", "false", _boolean, "log each export: size and preview"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one process. `problems`: what was wrong with the environment, in words for a log."""

    enabled: bool
    collector_endpoint: str | None
    forward: frozenset[str]
    otlp_protocol: str
    interval_ms: int
    key_frame_s: int
    nodes: str
    snapshots: bool
    span_task_ms: int
    span_wait_ms: int
    starved_ms: int
    rules: RuleSettings
    record: bool
    leaks_every_s: int
    heap: bool
    exception_messages: bool
    source: bool
    lock_order: bool
    suppress: str
    own: tuple[str, ...]
    library: tuple[str, ...]
    probe_asyncio: bool
    probe_threads: bool
    sample_hz: int
    cpu_budget_percent: float
    bytes_budget: int
    diagnostics: bool
    watchdog: bool
    requests: bool
    unsampled: int | None
    in_flight_ms: int
    pending_spans: bool
    providers: bool
    report: str
    dump_signal: tuple[int, ...]
    dump_file: str
    metrics: bool
    protocol_trace: bool
    problems: tuple[str, ...] = ()


def read(environment: Mapping[str, str]) -> Config:
    """Never raises: a bad value is a problem in words, and the default holds. An empty value counts as unset."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable in VARIABLES:
        name, text = _written(variable, environment, problems)
        try:
            values[variable.field] = variable.parse(text or variable.default)
        except BadValue as problem:
            problems.append(f"{name}={text!r} {problem}; {variable.default!r} is used")
            values[variable.field] = variable.parse(variable.default)
    return Config(**values, problems=tuple(problems))


def _written(variable: Variable, environment: Mapping[str, str], problems: list[str]) -> tuple[str, str]:
    """Under which name it is set, and to what. That both names are set, and to different values, is a problem."""
    text = environment.get(variable.name, "").strip()
    older = environment.get(variable.alias, "").strip() if variable.alias else ""
    if older and not text:
        return variable.alias, older
    if older and older != text:
        problems.append(f"{variable.name}={text!r} is used, not {variable.alias}={older!r}, its older name")
    return variable.name, text

# SPDX-License-Identifier: Apache-2.0
"""Every setting of the watched program, in one table; README has the same, and a test compares them.

Not here, because they are nobody's to set or another's: what `peeps run` tells its program (`local/run_channel.py`),
and OpenTelemetry's own (`export/otel_names.py`, `export/otlp_http.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .config_values import (
    UNSAMPLED_PER_S,
    BadValue,
    address,
    boolean,
    decimal,
    globs,
    number,
    one_of,
    per_second,
    rules,
    signals,
    signals_to_take,
)

if TYPE_CHECKING:
    from .diagnosis.rules.settings import RuleSettings


class Variable(NamedTuple):
    """`field`: the field of `Config`; `default` as it would be written; `meaning` for the documentation; `alias`: an
    older name, which counts where the first is not set."""

    name: str
    field: str
    default: str
    parse: Callable[[str], object]
    meaning: str
    alias: str = ""


_ENABLED = Variable("PEEPS_ENABLED", "enabled", "true", boolean, "false: do nothing at all")
VARIABLES: tuple[Variable, ...] = (
    _ENABLED,
    Variable(
        "PEEPS_COLLECTOR_ENDPOINT",
        "collector_endpoint",
        "",
        address,
        "`host:port` (or URL) of a peeps collector: snapshots go there, and our own events, spans and metrics; unset: "
        "no network of ours. What the program itself makes goes there only if `PEEPS_FORWARD` says so. "
        "`grpc://host:port` (`grpcs://` with TLS) pushes by OTLP/gRPC. `PEEPS_DASHBOARD` is an older name for it",
        alias="PEEPS_DASHBOARD",
    ),
    Variable(
        "PEEPS_FORWARD",
        "forward",
        "none",
        signals,
        "`all`, or of `traces,logs,metrics` some: what the program's own OpenTelemetry set-up makes goes to "
        "`PEEPS_COLLECTOR_ENDPOINT` as well, in addition to its own exporters; that costs what exporting costs",
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "otlp_protocol",
        "http/protobuf",
        one_of("grpc", "http/protobuf", "http/json"),
        "`grpc`: push by OTLP/gRPC, for which `peeps-otel[grpc]` must be installed; otherwise by HTTP",
    ),
    Variable("PEEPS_INTERVAL_MS", "interval_ms", "1000", number(50, 60_000), "time between two looks"),
    Variable("PEEPS_KEY_FRAME_S", "key_frame_s", "30", number(1, 3600), "time between two complete snapshots"),
    Variable(
        "PEEPS_NODES",
        "nodes",
        "matter",
        one_of("matter", "all", "none"),
        "which nodes become readable `peeps.node` events: those in a finding or in a long wait, all, or none",
    ),
    Variable(
        "PEEPS_SNAPSHOTS",
        "snapshots",
        "false",
        boolean,
        "true: `peeps.snapshot` events also go where the program's own log records go",
    ),
    Variable(
        "PEEPS_SPAN_TASK_MS", "span_task_ms", "1000", number(0, 3_600_000), "tasks this long become spans; 0: none"
    ),
    Variable(
        "PEEPS_SPAN_WAIT_MS", "span_wait_ms", "100", number(0, 3_600_000), "waits this long become spans; 0: none"
    ),
    Variable("PEEPS_STARVED_MS", "starved_ms", "2000", number(100, 3_600_000), "a shorter wait is no starvation"),
    Variable(
        "PEEPS_RULES",
        "rules",
        "",
        rules,
        "which findings are looked for, and from when on: `-order_risk,loop_blocked:2s` switches one off and sets the "
        "threshold of another, see docs/findings.md",
    ),
    Variable("PEEPS_RECORD", "record", "true", boolean, "false: no function of the standard library is rewritten"),
    Variable(
        "PEEPS_LEAKS_EVERY_S",
        "leaks_every_s",
        "0",
        number(0, 604_800),
        "how often to look unasked for tasks that nothing can wake, 3600 for once an hour; 0: only on request",
    ),
    Variable(
        "PEEPS_WATCHDOG",
        "watchdog",
        "true",
        boolean,
        "false: no process beside the program that tells the collector when no Python can run (Linux only)",
    ),
    Variable(
        "PEEPS_PROBE_ASYNCIO", "probe_asyncio", "true", boolean, "false: tasks and what they wait for are not read"
    ),
    Variable("PEEPS_PROBE_THREADS", "probe_threads", "true", boolean, "false: threads and their locks are not read"),
    Variable(
        "PEEPS_SAMPLE_HZ",
        "sample_hz",
        "20",
        number(0, 100),
        "samples of all threads in a second: stalled loops, long steps, profile; 0: none",
    ),
    Variable(
        "PEEPS_CPU_BUDGET_PERCENT",
        "cpu_budget_percent",
        "1",
        decimal(0, 100),
        "processor time that watching may use in any minute, in percent of one core; looks are cut in slices and come "
        "less often to keep to it; 0: no limit",
    ),
    Variable(
        "PEEPS_BYTES_BUDGET",
        "bytes_budget",
        "65536",
        number(0, 1 << 30),
        "bytes of snapshots in a second; over it, detail is left out and then looks come less often; 0: no limit",
    ),
    Variable(
        "PEEPS_DIAGNOSTICS",
        "diagnostics",
        "false",
        boolean,
        "true: every step of every task is timed, with the stack that long ones end in; asyncio's own loop only",
    ),
    Variable(
        "PEEPS_HEAP",
        "heap",
        "true",
        boolean,
        "false: never ask the heap, in a forked copy, who could end a wait, see docs/could-end.md",
    ),
    Variable(
        "PEEPS_NATIVE",
        "native",
        "true",
        boolean,
        "false: do not use `peeps-otel-native` where it is installed, see docs/watching.md",
    ),
    Variable(
        "PEEPS_EXCEPTION_MESSAGES",
        "exception_messages",
        "false",
        boolean,
        "true: tell the text of an exception that ended a task or thread, not only its type; texts may hold secrets",
    ),
    Variable(
        "PEEPS_SOURCE",
        "source",
        "true",
        boolean,
        "false: the text of the program's own lines is not sent to the collector, only their path and number",
    ),
    Variable(
        "PEEPS_LOCK_ORDER",
        "lock_order",
        "false",
        boolean,
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
        globs,
        "globs, with commas between them, of what is the program's own code although it is installed like a library: "
        "names of distributions or packages (`shop*`) or whole paths (`/srv/shop/*`)",
    ),
    Variable(
        "PEEPS_LIBRARY",
        "library",
        "",
        globs,
        "the same for what is a library although it looks like the program's own",
    ),
    Variable(
        "PEEPS_REQUESTS", "requests", "true", boolean, "false: unfinished spans of instrumentations are not looked at"
    ),
    Variable(
        "PEEPS_UNSAMPLED",
        "unsampled",
        "true",
        per_second,
        f"true: of the spans that are sampled out, {UNSAMPLED_PER_S} a second are recorded here, for requests to be "
        "seen, and exported nowhere; `all`: all are, which costs what a recorded span costs; false: none",
    ),
    Variable(
        "PEEPS_IN_FLIGHT_MS",
        "in_flight_ms",
        "5000",
        number(0, 3_600_000),
        "calls that last this long send `peeps.request.in_flight` events, see docs/requests.md; 0: none",
    ),
    Variable(
        "PEEPS_PENDING_SPANS",
        "pending_spans",
        "false",
        boolean,
        "true: such a call sends a pending span too, in the form of Logfire, see docs/requests.md",
    ),
    Variable(
        "PEEPS_PROVIDERS",
        "providers",
        "true",
        boolean,
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
        signals_to_take,
        "a signal (`USR1`, or several with commas between them) that has the verdict of now written there, to stderr "
        "where `PEEPS_REPORT` is not set; one that the program handles is left to it",
    ),
    Variable(
        "PEEPS_DUMP_ON_EXIT",
        "dump_on_exit_s",
        "0",
        decimal(0, 3600),
        "for how many seconds at most a SIGTERM that the program does not handle waits for the verdict of now, which "
        "is written there too; then it ends the program; 0: it does so at once (Linux only; `peeps run`: 3), see "
        "docs/run.md",
    ),
    Variable(
        "PEEPS_DUMP_FILE",
        "dump_file",
        "",
        str,
        "where such a verdict also leaves the whole picture, see docs/dumps.md (`%p`: the pid, `%t`: the time)",
    ),
    Variable("PEEPS_METRICS", "metrics", "true", boolean, "false: no metrics"),
    Variable("PEEPS_PROTOCOL_TRACE", "protocol_trace", "false", boolean, "log each export: size and preview"),
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
    native: bool
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
    dump_on_exit_s: float
    dump_file: str
    metrics: bool
    protocol_trace: bool
    problems: tuple[str, ...] = ()

    @property
    def reports(self) -> bool:
        """Whether this process writes its own verdict somewhere."""
        return bool(self.report or self.dump_signal or self.dump_on_exit_s)


def is_enabled(environment: Mapping[str, str]) -> bool:
    """`read(environment).enabled`, for which nothing else of ours is loaded. Never raises."""
    return bool(_value(_ENABLED, environment, []))


def read(environment: Mapping[str, str]) -> Config:
    """Never raises: a bad value is a problem in words, and the default holds. An empty value counts as unset."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable in VARIABLES:
        values[variable.field] = _value(variable, environment, problems)
    return Config(**values, problems=tuple(problems))


def _value(variable: Variable, environment: Mapping[str, str], problems: list[str]) -> object:
    name, text = _written(variable, environment, problems)
    try:
        return variable.parse(text or variable.default)
    except BadValue as problem:
        problems.append(f"{name}={text!r} {problem}; {variable.default!r} is used")
        return variable.parse(variable.default)


def _written(variable: Variable, environment: Mapping[str, str], problems: list[str]) -> tuple[str, str]:
    """Under which name it is set, and to what. That both names are set, and to different values, is a problem."""
    text = environment.get(variable.name, "").strip()
    older = environment.get(variable.alias, "").strip() if variable.alias else ""
    if older and not text:
        return variable.alias, older
    if older and older != text:
        problems.append(f"{variable.name}={text!r} is used, not {variable.alias}={older!r}, its older name")
    return variable.name, text

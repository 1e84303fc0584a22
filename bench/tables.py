# SPDX-License-Identifier: Apache-2.0
"""The Markdown tables, made of nothing but the raw figures."""

from __future__ import annotations

from collections.abc import Iterable

from .groups import LOOKS_GROUP, OPERATIONS_GROUP, PEERS_GROUP, SERVERS_GROUP, STARTS_GROUP, TASKS
from .loops import ASYNCIO, UVLOOP
from .modes import BASELINE, OTEL, PEEPS
from .operations import OPERATIONS, RECORDED, THREADS, Operation
from .peers import PEERS
from .samples import GroupResult, Results, Spread, differences, ratios, spread, values
from .server_worker import SERVERS
from .targets import (
    CORE_PERCENT,
    HOLD_MS,
    RESIDENT_MB,
    RESIDENT_OVER_OTEL_MB,
    RESIDENT_PER_TASK,
    SERVER_CPU,
    START_CPU_MS,
    WATCHER_CPU_MS,
    rounded,
    verdict,
)

PROMISED = "3.12"
"""The version of Python for which the targets hold."""
_MB = 1 << 20
_NONE = "–"
Versions = dict[str, Results]


def page(versions: Versions) -> str:
    """All tables, as they stand in docs/cost.md."""
    parts = [operations(versions), servers(versions), starts(versions), looks(versions), peers(versions)]
    parts += _notes(versions)
    return "\n\n".join(part for part in parts if part) + "\n"


def operations(versions: Versions) -> str:
    """Empty where they were not measured."""
    columns = _columns(versions, OPERATIONS_GROUP)
    rows: list[list[str]] = []
    for name, operation in _with_recorded():
        found = [spread(ratios(group, PEEPS, name)) for _, group in columns]
        if any(found):
            rows.append([operation.title, _target(operation.target), *_verdict(columns, found, operation.target)])
            rows[-1].append(operation.known or _NONE)
    names = [name for name, _ in columns]
    header = ["operation: CPU time with us, without us being 1", "target", *_heads(names), "best tool that tracks it"]
    return _table(header, rows)


def servers(versions: Versions) -> str:
    rows: list[list[str]] = []
    names = _sorted(versions)
    for kind in SERVERS:
        for loop in (ASYNCIO, UVLOOP):
            groups = [versions[name]["groups"].get(f"{SERVERS_GROUP}/{kind}/{loop}") for name in names]
            found = [spread(ratios(group, PEEPS, "cpu_us", OTEL)) for group in groups]
            group = next((one for one in groups if one), None)
            over_python = spread(ratios(group, PEEPS, "cpu_us"))
            if not any(found) and over_python is None:
                continue
            alone = [spread(values(group, BASELINE, figure)) for figure in ("per_second", "cpu_us")]
            otel = spread(ratios(group, OTEL, "cpu_us"))
            columns = list(zip(names, groups, strict=True))
            rows.append([f"{_SERVER_TITLES[kind]}, {loop}", *map(_plain, [*alone, otel, over_python])])
            rows[-1] += [_target(SERVER_CPU), *_verdict(columns, found, SERVER_CPU)]
    header = ["server: CPU time per request", "requests/s, Python alone", "µs/request, Python alone"]
    header += [f"{_UNDER} without us / Python alone", "with us / Python alone", "target"]
    return _table(
        [*header, *(f"with us / {_UNDER} without us, {name}" if name else "" for name in _heads(names))], rows
    )


_UNDER = "`opentelemetry-instrument`"
_SERVER_TITLES = {
    "aiohttp": "aiohttp",
    "fastapi": "FastAPI on uvicorn",
    "streams": "asyncio streams",
    "grpc": "gRPC aio",
}


def starts(versions: Versions) -> str:
    """What we add to the same under `opentelemetry-instrument`."""
    names = _sorted(versions)
    rows: list[list[str]] = []
    for program, figure, title, target in (
        ("python -c pass", "cpu_ms", "`python -c pass`: processor time, ms", START_CPU_MS),
        ("python -c pass", "wall_ms", "… time to its end, ms", None),
        ("a small program", "rss_mb", "a small program: resident memory, MB", RESIDENT_OVER_OTEL_MB),
        ("a small program", "pss_mb", "… its share of it (PSS), MB", None),
    ):
        groups = [versions[name]["groups"].get(f"{STARTS_GROUP}/{program}") for name in names]
        found = [spread(differences(group, PEEPS, figure, OTEL)) for group in groups]
        if any(found):
            without = spread(values(next(one for one in groups if one), OTEL, figure))
            columns = list(zip(names, groups, strict=True))
            rows.append([title, _plain(without), _target(target), *_verdict(columns, found, target)])
    header = [f"start and memory: added to the same under {_UNDER}", "without us", "target"]
    return _table([*header, *_heads(names)], rows)


def looks(versions: Versions) -> str:
    names = [name for name in _sorted(versions) if any(_look(versions[name], count) for count in TASKS)]
    rows: list[list[str]] = []

    def row(title: str, target: float | None, found: list[float | None]) -> None:
        if any(value is not None for value in found):
            rows.append([title, _target(target), *_single(names, found, target)])

    for count in TASKS:
        groups = [_look(versions[name], count) for name in names]
        row(f"{count:,} live tasks: loop held at a time, ms", HOLD_MS, [_most(g, PEEPS, "hold_ms") for g in groups])
        row("… the same without us (error of the method), ms", None, [_most(g, BASELINE, "hold_ms") for g in groups])
        first = [_median(group, PEEPS, "first_cpu_ms") for group in groups]
        row("… watcher's CPU time, first look, ms", WATCHER_CPU_MS[count], first)
        row("… watcher's CPU time, nothing has changed, ms", None, [_median(g, PEEPS, "next_cpu_ms") for g in groups])
        core = [_median(group, PEEPS, "core") for group in groups]
        row("… CPU of one core, %", CORE_PERCENT, [None if share is None else 100 * share for share in core])
        row("… memory per live task, bytes", RESIDENT_PER_TASK, [_per_task(group, count) for group in groups])
    groups = [_look(versions[name], TASKS[0]) for name in names]
    row("resident memory, MB", RESIDENT_MB, [_more_memory(group, BASELINE) for group in groups])
    row("… of it not OpenTelemetry's SDK, MB", RESIDENT_OVER_OTEL_MB, [_more_memory(group, OTEL) for group in groups])
    return _table(["looks and memory", "target", *_heads(names)], rows)


def peers(versions: Versions) -> str:
    """Ratios of all measured tools, ours first; of the version whose peers were measured."""
    parts: list[str] = []
    for name in _sorted(versions):
        for loop in (ASYNCIO, UVLOOP):
            group = versions[name]["groups"].get(f"{PEERS_GROUP}/{loop}")
            if group is not None:
                parts.append(_peer_table(versions[name], group, name, loop))
    return "\n\n".join(parts)


def _peer_table(results: Results, group: GroupResult, name: str, loop: str) -> str:
    ours = results["groups"].get(f"{OPERATIONS_GROUP}/{loop}")
    serving = results["groups"].get(f"{PEERS_GROUP}/aiohttp/{loop}")
    own_server = results["groups"].get(f"{SERVERS_GROUP}/aiohttp/{loop}")
    tools = [tool for tool in PEERS if values(group, tool, "task_1") or values(group, tool, "thread_lock")]
    rows: list[list[str]] = []
    for operation, described in {**OPERATIONS, **THREADS}.items():
        found = [spread(ratios(ours, PEEPS, operation))]
        found += [spread(ratios(group, tool, operation)) for tool in tools]
        if any(found[1:]):
            rows.append([described.title, *map(_plain, found)])
    found = [spread(ratios(own_server, PEEPS, "cpu_us")), *(spread(ratios(serving, t, "cpu_us")) for t in tools)]
    if any(found[1:]):
        rows.append(["aiohttp, CPU time per request", *map(_plain, found)])
    return _table([f"other tools, {name}, {loop}", "peeps-otel", *tools], rows)


def _notes(versions: Versions) -> list[str]:
    """Where and when, and what could not be measured."""
    notes: list[str] = []
    for name in _sorted(versions):
        results = versions[name]
        for title, group in results["groups"].items():
            for mode, reason in group["failed"].items():
                notes.append(f"Not measured on {name}: {title}, {mode}: `{reason}`.")
    machines = sorted({results["machine"] for results in versions.values()})
    exact = ", ".join(versions[name]["python"] for name in _sorted(versions))
    dates = sorted(group["date"] for results in versions.values() for group in results["groups"].values())
    if dates:
        when = dates[0] if dates[0][:10] == dates[-1][:10] else f"{dates[0][:10]} to {dates[-1][:10]}"
        notes.append(
            f"Medians (least … most) of runs in fresh processes; Python {exact}; {'; '.join(machines)}; {when}."
        )
    return notes


# --- cells ------------------------------------------------------------------------------------------------------------


def _with_recorded() -> Iterable[tuple[str, Operation]]:
    """All operations, those that are recorded in detail twice."""
    ordered = {"task_1": OPERATIONS["task_1"], **OPERATIONS, **THREADS}
    for name, operation in ordered.items():
        if operation.recorded:
            yield name, operation._replace(title=f"{operation.title}, at full speed")
            yield name + RECORDED, operation._replace(title="… each recorded in detail")
        else:
            yield name, operation


def _verdict(
    columns: list[tuple[str, GroupResult | None]], found: list[Spread | None], target: float | None
) -> list[str]:
    """The cells of a row: in the column of the promised version with the extremes and whether the target is met."""
    cells: list[str] = []
    for (name, _), one in zip(columns, found, strict=True):
        if one is None:
            cells.append(_NONE)
        elif name == PROMISED:
            cells.append(f"{rounded(one.median)} ({rounded(one.least)} … {rounded(one.most)})")
        else:
            cells.append(rounded(one.median))
        if name == PROMISED:
            cells.append(_NONE if one is None or target is None else str(verdict(one.median, target)))
    return cells


def _single(names: list[str], found: list[float | None], target: float | None) -> list[str]:
    cells: list[str] = []
    for name, value in zip(names, found, strict=True):
        cells.append(_NONE if value is None else rounded(value))
        if name == PROMISED:
            cells.append(_NONE if value is None or target is None else str(verdict(value, target)))
    return cells


def _heads(names: list[str]) -> list[str]:
    heads: list[str] = []
    for name in names:
        heads += [name, ""] if name == PROMISED else [name]
    return heads


def _columns(versions: Versions, kind: str) -> list[tuple[str, GroupResult | None]]:
    """The promised version first, each on asyncio, then on uvloop."""
    found: list[tuple[str, GroupResult | None]] = []
    for name in _sorted(versions):
        for loop in (ASYNCIO, UVLOOP):
            group = versions[name]["groups"].get(f"{kind}/{loop}")
            if group is not None:
                found.append((name if loop == ASYNCIO else f"{name} {loop}", group))
    return found


def _sorted(versions: Versions) -> list[str]:
    return sorted(versions, key=lambda name: (name != PROMISED, [int(part) for part in name.split(".")]))


def _target(target: float | None) -> str:
    return _NONE if target is None else f"≤ {target:g}"


def _plain(one: Spread | None) -> str:
    return _NONE if one is None else rounded(one.median)


def _look(results: Results, count: int) -> GroupResult | None:
    return results["groups"].get(f"{LOOKS_GROUP}/{count}")


def _median(group: GroupResult | None, mode: str, figure: str) -> float | None:
    one = spread(values(group, mode, figure))
    return None if one is None else one.median


def _most(group: GroupResult | None, mode: str, figure: str) -> float | None:
    """What is promised never to be exceeded is judged by its worst."""
    return max(values(group, mode, figure), default=None)


def _per_task(group: GroupResult | None, count: int) -> float | None:
    grown = [_grown(group, mode) for mode in (PEEPS, BASELINE)]
    return None if grown[0] is None or grown[1] is None else (grown[0] - grown[1]) / count


def _grown(group: GroupResult | None, mode: str) -> float | None:
    before, after = _median(group, mode, "resident_before"), _median(group, mode, "resident_after")
    return None if before is None or after is None else after - before


def _more_memory(group: GroupResult | None, than: str) -> float | None:
    ours, theirs = _median(group, PEEPS, "resident_before"), _median(group, than, "resident_before")
    return None if ours is None or theirs is None else (ours - theirs) / _MB


def _table(header: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

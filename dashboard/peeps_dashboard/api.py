# SPDX-License-Identifier: Apache-2.0
"""The shapes of the collector's answers (docs/api.md), as far as the explorer reads them."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

AttributeValue = str | int | float | bool


class Frame(TypedDict):
    function: str
    file: str
    line: int | None
    short: str
    own: NotRequired[bool]
    library: NotRequired[str]


class Wait(TypedDict):
    operation: str
    since_ns: int
    age: str
    source: str
    short: str
    text: NotRequired[str]
    gives_up_in: NotRequired[str]
    needs: NotRequired[int]
    deadline_ns: NotRequired[int | None]
    exact: NotRequired[bool]


class Trace(TypedDict):
    """`url`: where it is shown."""

    trace_id: str
    span_id: str
    url: NotRequired[str]


class Node(TypedDict):
    id: str
    kind: str
    name: str
    process: str
    created_at: int
    source: str
    label: str
    kind_word: str
    age: str
    short: str
    telemetry: bool
    confidence: NotRequired[str]
    state: NotRequired[str | None]
    providers: NotRequired[str | None]
    wait: NotRequired[Wait | None]
    stack: NotRequired[list[Frame]]
    steps: NotRequired[int | None]
    attributes: NotRequired[dict[str, AttributeValue]]
    trace: NotRequired[Trace]


class Edge(TypedDict):
    kind: str
    src: str
    dst: str
    since_ns: NotRequired[int | None]
    source: NotRequired[str | None]
    confidence: NotRequired[str]


class Process(TypedDict):
    id: str
    service: str
    pid: NotRequired[int | None]
    host: NotRequired[str | None]
    runtime: NotRequired[str | None]
    state: Literal["live", "silent", "gone", "foreign"]
    last_seen_ns: int
    last_seen_ago: str
    first_seen_ns: NotRequired[int]
    tasks: NotRequired[int]
    waiting: NotRequired[int]
    nodes: NotRequired[int]
    dropped: NotRequired[int]
    coverage: NotRequired[list[str]]
    shed: NotRequired[list[str]]


class Processes(TypedDict):
    now_ns: int
    processes: list[Process]


class Link(TypedDict):
    waiter: str
    resource: str
    holder: str | None
    since_ns: int
    age: str
    hold_age: str
    wait_short: str
    hold_short: str
    waiter_label: str
    resource_label: str
    holder_label: str
    relation: str
    text: str
    wait_source: NotRequired[str | None]
    hold_since_ns: NotRequired[int | None]
    hold_source: NotRequired[str | None]
    holder_doing: NotRequired[str]


class SourceText(TypedDict):
    """`first`: the number of the first of the lines."""

    first: int
    lines: list[str]


class Site(TypedDict):
    source: str
    short: str
    count: int
    example: str


class Ended(TypedDict):
    """What has ended, in short."""

    id: str
    headline: str
    title: str
    state: str
    ended_ago: str


class Behind(TypedDict):
    count: int
    text: str


class Finding(TypedDict):
    id: str
    kind: str
    level: str
    state: str
    title: str
    kind_word: str
    headline: str
    certainty: str
    age: str
    behind: Behind
    since_ns: int
    first_seen_ns: int
    last_seen_ns: int
    processes: list[str]
    core: list[str]
    cycle: list[str]
    blocked: list[str]
    blocked_count: int
    advice: str
    evidence: list[Link]
    nodes: dict[str, Node]
    count: NotRequired[int]
    example_labels: NotRequired[list[str]]
    break_first: NotRequired[str]
    look_at: NotRequired[str]
    look_at_short: NotRequired[str]
    blocked_sites: NotRequired[list[Site]]
    stack: NotRequired[list[Frame]]
    sources: NotRequired[dict[str, SourceText]]
    text: NotRequired[str]
    ended_ago: NotRequired[str]
    same_as: NotRequired[str]
    same_in: NotRequired[list[str]]
    same_text: NotRequired[str]
    trace: NotRequired[Trace]


class FindingAnswer(TypedDict):
    now_ns: int
    finding: Finding


class Blind(TypedDict):
    process: str
    name: str
    note: str


class Verdict(TypedDict):
    stuck: bool
    level: str | None
    sentence: str
    connected: bool
    cannot_judge: list[Blind]


class LongestWait(TypedDict):
    node: Node
    age_ns: int
    age: str


class Calm(TypedDict):
    longest_wait: LongestWait | None
    last_change_ns: int | None
    last_change_ago: str | None
    doubt: str | None
    long_call: str | None
    tasks: int
    waiting: int


class Findings(TypedDict):
    now_ns: int
    version: int
    verdict: Verdict
    calm: Calm
    findings: list[Finding]
    not_answered: list[str]
    ended: NotRequired[list[Ended]]
    at_ns: NotRequired[int]


class Snapshot(TypedDict):
    now_ns: int
    version: int
    nodes: list[Node]
    edges: list[Edge]
    total_nodes: int
    truncated: bool
    not_answered: list[str]


class Change(TypedDict):
    time_ns: int
    change: str
    state: NotRequired[str | None]
    operation: NotRequired[str | None]


class NodeAnswer(TypedDict):
    now_ns: int
    node: Node
    edges_out: list[Edge]
    edges_in: list[Edge]
    neighbours: dict[str, Node]
    findings: list[Finding]
    history: NotRequired[list[Change]]


Cell = str | int | float
"""Times are Unix epoch nanoseconds or nanoseconds, by the type of the column."""


class RowColumn(TypedDict):
    key: str
    title: str
    type: Literal["text", "place", "number", "since", "duration", "share"]
    shown: bool


class Row(TypedDict):
    """One thing, or `count` alike, which the filter `members` holds of."""

    id: str
    process: str
    count: int
    cells: dict[str, Cell]
    words: dict[str, str]
    members: str


class Rows(TypedDict):
    now_ns: int
    version: int
    table: str
    group: str
    columns: list[RowColumn]
    rows: list[Row]
    total: int
    matched: int
    lines: int


class Moved(TypedDict):
    from_ns: int
    count: int


class Span(TypedDict):
    """A finding from its beginning to its end; `to_ns` is None while it is open."""

    id: str
    headline: str
    title: str
    level: str
    state: str
    from_ns: int
    found_ns: int
    to_ns: int | None


class Timeline(TypedDict):
    now_ns: int
    from_ns: int
    to_ns: NotRequired[int]
    step_ns: int
    changes: list[Moved]
    findings: list[Span]


class Changed(TypedDict):
    before: Node
    after: Node


class Difference(TypedDict):
    now_ns: int
    from_ns: int
    to_ns: int
    appeared: list[Node]
    ended: list[Node]
    changed: list[Changed]
    unmoved: list[Node]
    totals: dict[str, int]


class BlameWaiter(TypedDict):
    site: str
    site_short: str
    ns: int


class BlameRow(TypedDict):
    holder_site: str
    holder_short: str
    ns: int
    direct_ns: int
    waits: int
    resources: list[str]
    waiters: list[BlameWaiter]


class Blame(TypedDict):
    now_ns: int
    since_ns: int
    waits: int
    total_ns: int
    truncated: bool
    rows: list[BlameRow]


class FlameBox(TypedDict):
    """`parent`: its number in the list, None of a root. `side`: 0 who waits or runs, 1 what is waited for, 2 who has
    it."""

    parent: int | None
    depth: int
    from_ns: int
    ns: int
    own_ns: int
    text: str
    side: int
    place: str
    short: str


class Flame(TypedDict):
    now_ns: int
    since_ns: int
    until_ns: int
    of: str
    total_ns: int
    boxes: list[FlameBox]
    left_out: int


class HeatCell(TypedDict):
    """`column`: which step of time; `row`: between which bounds."""

    column: int
    row: int
    number: int
    where: str


class Heat(TypedDict):
    now_ns: int
    since_ns: int
    until_ns: int
    of: str
    step_ns: int
    steps: int
    bounds_ns: list[int]
    cells: list[HeatCell]


class Curve(TypedDict):
    """`values`: the most of each step of time; None where it was not there."""

    node: str
    process: str
    kind_word: str
    label: str
    short: str
    what: str
    capacity: int | None
    most: int
    values: list[int | None]


class Depths(TypedDict):
    now_ns: int
    since_ns: int
    until_ns: int
    step_ns: int
    steps: int
    total: int
    curves: list[Curve]


class Listen(TypedDict):
    grpc: list[str]
    http: list[str]


class Health(TypedDict):
    now_ns: int
    status: str
    version: NotRequired[str]
    listen: NotRequired[Listen]
    warnings: NotRequired[list[str]]

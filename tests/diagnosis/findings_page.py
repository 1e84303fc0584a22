# SPDX-License-Identifier: Apache-2.0
"""Writes docs/findings.md from the rules: `python tests/diagnosis/findings_page.py`."""

from __future__ import annotations

from pathlib import Path

from peeps_otel.diagnosis.rules.registry import RULES
from peeps_otel.diagnosis.rules.tunable import LongWait, Tunable

PAGE = Path(__file__).resolve().parents[2] / "docs" / "findings.md"

_HEAD = """\
# Findings: what is said, when, and what to do

<!-- Written by tests/diagnosis/findings_page.py from peeps_otel/diagnosis/rules: change it there. -->

A finding has a kind and a level. **PROVEN**: only known members could end the waits, none of them can, and none moved
between two looks; it is never wrong. **LIKELY**: the same, but somebody unknown could exist. **SUSPECT**: only long, by
what is usual. **SLOW**: long, with progress, or a fact worth knowing; a program with nothing worse is not stuck (the
exit code of `peeps why` is 0).

What the reduction says comes first; a rule leaves out what a surer finding has explained. A wait that ends by itself (a
deadline, a socket, a sleep, an idle consumer on its queue) is no finding. Findings of one process that are alike, of
the same kind and level at the same lines, are one finding with a count, told by the oldest; of more than 50 the worst
are told, with the number of the others.

| rule | kind | level | said when | what to do |
|---|---|---|---|---|
"""

_TUNING = """
A kind with two rules has a stronger and a weaker form.

## Switching and tuning

`PEEPS_RULES` is one table for all of them, separated by commas; the collector reads its own for what it finds itself:

```
PEEPS_RULES=-order_risk,loop_blocked:2s,task_growth:count=500:window=5s
```

`-name` switches a rule off, or all rules of a kind; what it would have explained is left to the others. `name:value`
sets its first threshold, `name:threshold=value` another. Durations are written like `500ms`, `2s` or `5min`. A mistake
is logged with what was meant perhaps, and then all of it holds as by default; the collector does not start.
`long_wait` is what the rules share, no rule of its own: where a rule says nothing of its own, a wait is long when it
has taken `waited`, and `factor` times as long as the longest that was seen to end at the same line.
`PEEPS_STARVED_MS` sets `waited` of `long_wait`, `lock_starved`, `semaphore_starved` and `channel_full` where
`PEEPS_RULES` does not.

| rule | threshold | default | meaning |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    shared = LongWait()
    text = _HEAD
    for rule in RULES:
        levels = ", ".join(rule.levels)
        text += f"| `{rule.name}` | `{rule.kind}` | {levels} | {rule().sentence(shared)} | {rule.advice} |\n"
    text += _TUNING
    tunables: tuple[type[Tunable], ...] = (LongWait, *RULES)
    for one in tunables:
        for threshold in one.thresholds:
            default = threshold.unit.text(threshold.default)
            text += f"| `{one.name}` | `{threshold.name}` | {default} | {threshold.meaning} |\n"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

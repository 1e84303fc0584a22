# SPDX-License-Identifier: Apache-2.0
"""Rules as data: the page that comes out of them, and the one table that switches and tunes them."""

from __future__ import annotations

import re

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis import BadRules, Diagnoser, RuleSettings
from peeps_otel.diagnosis.rules.registry import MARKS, RULES
from peeps_otel.diagnosis.rules.settings import parse
from peeps_otel.diagnosis.rules.tunable import LongWait
from peeps_otel.model import Finding, FindingKind
from tests.diagnosis.findings_page import PAGE, page
from tests.diagnosis.world import SECOND, START, World, brief


def test_the_page_is_what_the_rules_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/diagnosis/findings_page.py"


def test_every_kind_has_a_rule_and_every_rule_a_name_of_its_own() -> None:
    assert {rule.kind for rule in RULES} == set(FindingKind)
    names = [rule.name for rule in RULES]
    assert sorted(set(names)) == sorted(names)


def test_no_number_is_typed_into_a_sentence() -> None:
    for rule in RULES:
        prose = re.sub(r"`[^`]*`|{[^}]*}", "", rule.when)
        assert re.search(r"\d", prose) is None, rule.name


def test_the_sentence_says_the_threshold_that_holds() -> None:
    (blocked,) = [rule for rule in RULES if rule.name == "loop_blocked"]
    sentence = "The thread of an event loop has been in one callback for {}: in a blocking call, or computing"
    assert blocked().sentence(LongWait()) == sentence.format("0.8 s")
    assert parse("loop_blocked:1500ms").make(blocked).sentence(LongWait()) == sentence.format("1.5 s")


def test_marks_are_those_of_the_rules() -> None:
    of_tasks = {semconv.TASK_CANCEL_REQUESTS, semconv.TASK_ENDS_SERVER, semconv.TASK_STEP_SINCE}
    free = {semconv.LOCK_LOCKED, semconv.SEMAPHORE_AVAILABLE, semconv.EVENT_IS_SET, semconv.CHANNEL_LENGTH}
    lost = {semconv.RESOURCE_LOST_WITH, semconv.LOCK_FORK_HOLDER, semconv.LOCK_FILE}
    asks = {semconv.POLL_SINCE, semconv.THREAD_OWN_SERVICE, semconv.TASK_SELF_WAKES}
    assert of_tasks | asks | free | lost == MARKS


def test_the_table() -> None:
    assert parse("") == RuleSettings()
    assert parse(" -order_risk , loop_blocked:2s,task_growth:count=500:window=5min, self_waking:80%") == RuleSettings(
        frozenset({"order_risk"}),
        {
            "loop_blocked": {"stalled": 2 * SECOND},
            "task_growth": {"count": 500, "window": 300 * SECOND},
            "self_waking": {"due": 80},
        },
    )


def test_a_kind_stands_for_all_its_rules() -> None:
    of_its_kind = {"never_ends", "unusually_long", "lost_with_process", "pipe_kept_open", "pool_workers_die"}
    of_its_kind |= {"keeps_trying", "pool_lost_results"}
    assert parse("-never_ends").off == of_its_kind
    assert parse("-unusually_long").off == {"unusually_long"}
    assert parse("never_ends:seen=4").values == {"unusually_long": {"seen": 4}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-order_risks", "'-order_risks': rule 'order_risks' is not known; did you mean order_risk?"),
        ("loop_bloked:2s", "'loop_bloked:2s': rule 'loop_bloked' is not known; did you mean loop_blocked?"),
        (
            "loop_blocked:2",
            "'loop_blocked:2': stalled: '2' is not a duration above 0 and up to 24h, such as 500ms, 2s or 5min",
        ),
        (
            "loop_blocked:0s",
            "'loop_blocked:0s': stalled: '0s' is not a duration above 0 and up to 24h, such as 500ms, 2s or 5min",
        ),
        ("self_waking:101", "'self_waking:101': due: '101' is not a whole number from 1 to 100"),
        ("task_growth:3.5", "'task_growth:3.5': count: '3.5' is not a whole number from 1 to 1000000"),
        (
            "task_growth:cuont=3",
            "'task_growth:cuont=3': task_growth has no threshold 'cuont'; did you mean count?",
        ),
        (
            "task_growth:xyz=3",
            "'task_growth:xyz=3': task_growth has no threshold 'xyz'; known are count, factor, window, windows",
        ),
        ("order_risk:2s", "'order_risk:2s': order_risk has no thresholds"),
        (
            "order_risk",
            "'order_risk' says nothing: write -order_risk to switch it off, or order_risk:value",
        ),
        ("-loop_blocked:2s", "'-loop_blocked:2s': a rule that is off has no thresholds"),
        ("-long_wait", "'-long_wait': long_wait is no rule, and cannot be switched off"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(BadRules) as raised:
        parse(f"-deadlock,{text}")
    assert str(raised.value) == said


def test_what_counts_as_starved_is_set_for_all_that_are_not_told_otherwise() -> None:
    settings = parse("lock_starved:9s").starved_after(SECOND)
    assert settings.values == {
        "long_wait": {"waited": SECOND},
        "lock_starved": {"waited": 9 * SECOND},
        "semaphore_starved": {"waited": SECOND},
        "channel_full": {"waited": SECOND},
    }


# --- what they do -----------------------------------------------------------------------------------------------------


def _looks(world: World, rules: str, *seconds: float) -> list[Finding]:
    diagnoser = Diagnoser(parse(rules))
    found: list[Finding] = []
    for second in seconds:
        found = diagnoser.look(world.graph(), START + int(second * SECOND))
    return found


def _crunching() -> World:
    world = World()
    world.task("cruncher", peeps__task__step_since=START)
    return world


def test_a_threshold_moves_what_is_said() -> None:
    assert _looks(_crunching(), "never_yields:3s", 2.9) == []
    assert [f.kind for f in _looks(_crunching(), "never_yields:3s", 3)] == [FindingKind.NEVER_YIELDS]


def test_a_rule_that_is_off_says_nothing() -> None:
    assert _looks(_crunching(), "-never_yields", 60) == []


def _ring() -> World:
    world = World()
    world.lock("a", "task:one")
    world.lock("b", "task:two")
    world.task("one", "lock:b")
    world.task("two", "lock:a")
    return world


def test_what_a_rule_that_is_off_would_have_explained_is_left_to_the_others() -> None:
    assert [f.kind for f in _looks(_ring(), "", 1, 4)] == [FindingKind.DEADLOCK]
    assert FindingKind.DEADLOCK not in {f.kind for f in _looks(_ring(), "-deadlock", 1, 4)}


def _full() -> World:
    world = World()
    world.queue("jobs", 16, 16)
    world.task("producer", "tx:jobs", operation="queue.put")
    world.touches("task:producer", "tx:jobs")
    return world


def test_each_kind_of_starvation_has_its_own_threshold() -> None:
    assert brief(_looks(_full(), "channel_full:20s,lock_starved:1s", 1, 19)) == []
    assert [f.kind for f in _looks(_full(), "channel_full:20s", 1, 20)] == [FindingKind.CHANNEL_FULL]
    assert brief(_looks(_full(), "-channel_full", 1, 60)) == []


def test_a_ring_through_a_channel_is_of_the_channel_s_rule() -> None:
    world = World()
    world.queue("jobs", 1, 1)
    world.lock("db", "task:one")
    world.task("one", "tx:jobs", operation="queue.put")
    world.task("two", "lock:db")
    world.touches("task:two", "tx:jobs")
    both = {f.kind for f in _looks(world, "", 1, 3)}
    assert _looks(world, "-channel_full,-deadlock,-lock_starved", 1, 3) == []
    assert both


def test_the_waits_that_all_rules_share() -> None:
    world = World()
    world.lock("db", "task:sleeper")
    world.task("sleeper", operation="sleep", deadline=START + 99 * SECOND)
    world.task("waiter", "lock:db")
    assert [f.kind for f in _looks(world, "", 1, 3)] == [FindingKind.HELD_ACROSS_WAIT]
    assert _looks(world, "long_wait:10s", 1, 3) == []


def test_a_younger_wait_than_settle_is_no_member() -> None:
    assert _looks(_ring(), "long_wait:settle=2s", 1, 1.5) == []
    assert [f.kind for f in _looks(_ring(), "long_wait:settle=2s", 1, 2)] == [FindingKind.DEADLOCK]

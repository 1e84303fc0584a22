# SPDX-License-Identifier: Apache-2.0
"""The commands that list and look closer: groups, widths, words for wrong words, and what programs read."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from peeps_collector.cli import completion, findings, show
from peeps_collector.cli.columns import fitted
from peeps_collector.cli.folding import folded
from peeps_collector.cli.main import COMMANDS
from peeps_collector.cli.ps import Listing
from peeps_otel.model import Node, NodeKind, Wait
from peeps_otel.report import in_words
from peeps_otel.report.in_words import Places
from peeps_otel.report.style import Style
from tests.collector.collector_support import Deadlock, Program, Running, new_id
from tests.support.processes import peeps
from tests.support.waiting import eventually

S = 1_000_000_000


def task(name: str, since_s: int = 0, place: str = "/srv/shop/db.py:31", text: str = "async with self.lock:") -> Any:
    wait = Wait("lock.acquire", 100 * S - since_s * S, place) if since_s else None
    made = Node(f"task:{name}", NodeKind.TASK, name, S, "/srv/shop/app.py:1", wait=wait)
    told: Any = in_words.live_node(made, 100 * S, Places("/srv/shop")) | {"process": "p"}
    if told["wait"]:
        told["wait"]["text"] = text
    return told


def answer(*nodes: Any, lock: str = "lock:l") -> Any:
    edges = [{"kind": "needs", "src": node["id"], "dst": lock} for node in nodes if node["wait"]]
    known = in_words.live_node(Node(lock, NodeKind.LOCK, "db", S, "a.py:1"), 100 * S, Places()) | {"process": "p"}
    told = {"processes": [{"id": "p"}], "truncated": False, "total_nodes": 0, "not_answered": []}
    return told | {"nodes": [*nodes, known], "edges": edges}


PROCESSES: Any = {"p": {"service": "shop", "pid": 7}}


def test_those_alike_are_one_line_and_the_longest_wait_stands_for_them() -> None:
    requests = [task(f"request-{number}", 40 - number) for number in range(3)]
    alone = task("writer", 50, "/srv/shop/x.py:9", "await q.get()")
    runs = task("runner")
    nodes = [alone, *requests, runs]
    lines = Listing(answer(*nodes), PROCESSES).lines(nodes, Style(), None)
    assert [re.split(r"  +", line) for line in lines] == [
        ["PROCESS", "NAME", "STATE", "WAITS FOR", "SINCE", "WHERE", "LINE"],
        ["shop/7", "writer", "waiting", "lock.acquire Lock db", "50 s", "x.py:9", "await q.get()"],
        [
            "shop/7",
            "3 × request-0",
            "waiting",
            "lock.acquire Lock db",
            "40 s",
            "db.py:31",
            "async with self.lock:",
        ],
        ["shop/7", "runner", "app.py:1"],
    ]
    flat = Listing(answer(*nodes), PROCESSES, flat=True).lines(nodes, Style(), None)
    assert [line.split()[1] for line in flat[1:]] == ["writer", "request-0", "request-1", "request-2", "runner"]


def test_what_is_left_out_is_counted() -> None:
    nodes = [task(f"t{number}", 90 - number, f"/a.py:{number}") for number in range(1, 31)]
    lines = Listing(answer(*nodes), PROCESSES, limit=10).lines(nodes, Style(), None)
    assert (len(lines), lines[-1]) == (12, "… 20 more in 20 lines; --limit 0 for all, --site or --state for some")
    assert Listing(answer() | {"processes": []}, {}).lines([], Style(), None) == ["No program is connected."]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_a_place_keeps_its_number(width: int) -> None:
    deep = "/srv/shop/" + "packages/" * 9 + "db.py:31"
    nodes = [task("worker-with-a-rather-long-name-" + "x" * 30, 40, deep, "async with self.lock:  # " + "y" * 50)]
    lines = Listing(answer(*nodes), PROCESSES).lines(nodes, Style(), width)
    assert [line for line in lines if len(line) > width] == []
    assert "db.py:31" in lines[-1]
    assert ("async with" in lines[-1]) is (width == 120)


def test_columns_are_cut_where_they_can_be_spared() -> None:
    rows = [("A", "PLACE", "Z"), ("a" * 40, "/" + "p" * 30 + ".py:7", "z")]
    assert fitted(rows, 40, cut_left=1)[1] == "aaaaaaaaaaa…  …ppppppppppppppppp.py:7  z"
    assert fitted(rows, None, cut_left=1)[1].split() == list(rows[1])
    assert fitted([("A", "B"), ("x" * 70, "y" * 70)], None)[1] == "x" * 59 + "…  " + "y" * 70


def test_in_a_narrow_terminal_what_is_the_same_in_all_rows_is_said_once() -> None:
    nodes = [task("writer", 50, "/srv/shop/x.py:9"), task("reader", 40)]
    narrow = Listing(answer(*nodes), PROCESSES).lines(nodes, Style(), 80)
    assert narrow[0] == "in shop/7"
    assert narrow[1].split()[:2] == ["NAME", "WAITS"]
    two: Any = {"p": {"service": "shop", "pid": 7}, "q": {"service": "shop", "pid": 8}}
    nodes[1]["process"] = "q"
    assert Listing(answer(*nodes), two).lines(nodes, Style(), 80)[0].startswith("PROCESS")


def test_text_is_folded_between_words_under_its_own_beginning() -> None:
    red = "\033[1;31mDEADLOCK, PROVEN, 3 s\033[0m"
    lines = [
        f"{red}: worker-a waits for Lock cache",
        "    -> app/work.py:31 in a.function.of.some.length",
        "  ->   31 |     async with self.lock: await other()",
        "x" * 50,
    ]
    assert folded(lines, 40) == [
        f"{red}: worker-a waits",
        "for Lock cache",
        "    -> app/work.py:31 in",
        "       a.function.of.some.length",
        "  ->   31 |     async with self.lock:",
        "                await other()",
        "x" * 50,
    ]
    assert folded(lines, None) == lines


def test_what_was_found_is_not_cut_in_a_narrow_terminal() -> None:
    found = {"id": "deadlock:0123456789abcdef", "state": "open", "headline": "DEADLOCK, PROVEN, 3 s"}
    one = found | {"title": "worker-a waits for Lock cache, held by worker-b, which waits for Lock db"}
    assert findings.listing([one], Style(), 70) == [
        "ID                         STATE  ENDED",
        "deadlock:0123456789abcdef  open",
        "  DEADLOCK, PROVEN, 3 s: worker-a waits for Lock cache, held by",
        "  worker-b, which waits for Lock db",
        "`peeps show ID` tells all about one.",
    ]
    assert len(findings.listing([one], Style(), 200)) == 3


def test_a_word_that_is_no_command() -> None:
    wrong = peeps("wy")
    assert (wrong.returncode, wrong.stderr) == (2, "peeps: no command is called 'wy'; did you mean `peeps why`?\n")
    assert peeps("xyzzy").stderr.startswith("peeps: no command is called 'xyzzy'; there are up, ")
    bare = peeps()
    assert bare.returncode == 2
    assert "peeps why" in bare.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["why", "--wait", "-1"], "'-1' is not a number of seconds from 0 to 86400"),
        (["blame", "--since", "5x"], "'5x' is not a span of time such as 90s, 10m, 2h or 1d, up to 7d"),
        (["ps", "--limit", "few"], "'few' is not a whole number from 0 to 1000000"),
    ],
)
def test_wrong_values_in_the_users_words(words: list[str], said: str) -> None:
    result = peeps(*words)
    assert result.returncode == 2
    assert result.stderr.rstrip().endswith(said)


def test_lists_and_closer_looks(with_a_deadlock: Running) -> None:
    collector = with_a_deadlock
    (found,) = collector.get("/api/findings")["findings"]
    finding_id = found["id"]
    (worker,) = (one["id"] for one in collector.get("/api/snapshot")["nodes"] if one["name"] == "worker-a")
    listed = collector.peeps("findings")
    assert re.match(rf"ID +STATE +ENDED +FINDING\n{re.escape(finding_id)} +open +DEADLOCK, PROVEN, ", listed.stdout)
    shown = collector.peeps("show", "worker-a")
    assert shown.stdout.splitlines()[:2] == ["Task worker-a", f"  {worker}"]
    assert "  waits for Lock cache\n" in shown.stdout
    assert "Stack, outermost first:" in shown.stdout
    assert collector.peeps("show", worker).stdout.splitlines()[0] == "Task worker-a"
    assert collector.peeps("show", finding_id).stdout.startswith("DEADLOCK, PROVEN, ")
    several = collector.peeps("show", "worker")
    assert (several.returncode, several.stdout) == (2, "")
    assert several.stderr.startswith("peeps: 3 go by 'worker'; say which by its id:\n")
    assert "nothing alive is called 'nobody'" in collector.peeps("show", "nobody").stderr
    by_site = collector.peeps("ps", "--site", "app.py:31").stdout.splitlines()
    assert [line.split()[1] for line in by_site[1:]] == ["worker-a"]
    assert collector.peeps("ps", "--state", "running").stdout == "Nothing is alive that is asked for.\n"
    for command in (["ps"], ["why"], ["findings"], ["show", "worker-a"], ["sql", "SELECT 1"]):
        assert json.loads(collector.peeps(*command, "--json").stdout)["format"] == 1


def test_a_link_to_what_has_ended(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    collector.send(program.snapshot(*deadlock.graph(), key_frame=True))

    def found() -> Any:
        collector.send(program.snapshot([]))
        return collector.get("/api/findings")["findings"]

    finding_id = eventually(found)[0]["id"]
    program = Program(sequence=100, stream_id=0x52)
    collector.send(program.snapshot([Node(new_id(NodeKind.TASK), NodeKind.TASK, "t", 1, "a.py:1")], key_frame=True))

    def ended() -> Any:
        return [one for one in collector.get("/api/findings")["ended"] if one["id"] == finding_id]

    (short,) = eventually(ended)
    assert (short["state"], short["headline"].startswith("DEADLOCK, PROVEN, ")) == ("resolved", True)
    finding = collector.get(f"/api/finding/{finding_id}")["finding"]
    assert finding["nodes"][deadlock.a]["label"] == "worker-a"
    assert finding["nodes"][deadlock.a]["stack"] != []
    assert finding["text"].startswith(finding["headline"])
    assert " resolved " in collector.peeps("findings").stdout


def test_sql_for_programs(with_a_deadlock: Running) -> None:
    collector = with_a_deadlock
    statement = "SELECT 1 AS a, 'x,y' AS b UNION ALL SELECT 2, NULL ORDER BY a"
    assert collector.peeps("sql", "--csv", statement).stdout == 'a,b\n1,"x,y"\n2,\n'
    lines = collector.peeps("sql", "--jsonl", statement).stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"a": 1, "b": "x,y"}, {"a": 2, "b": None}]
    assert collector.peeps("sql", "--csv", "-", input="SELECT 7 AS n").stdout == "n\n7\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_every_command_and_option(shell: str) -> None:
    text = peeps("completion", shell).stdout
    assert [command.NAME for command in COMMANDS if command.NAME not in text] == []
    assert "limit" in text
    assert "fail-on" in text


def test_a_script_for_bash_is_one_that_bash_reads() -> None:
    text = completion.script("bash", {"why": ["--json", "--wait"], "ps": ["--all"]})
    asked = f'{text}\nCOMP_WORDS=(peeps why --w); COMP_CWORD=2; _peeps; echo "${{COMPREPLY[@]}}"'
    result = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "--wait\n"


def test_nothing_to_list() -> None:
    assert findings.listing([], Style(), None) == ["No finding is open, and none has ended in that time."]


def test_a_node_that_is_gone_is_shown_from_the_database() -> None:
    node = task("t") | {"state": "gone"}
    told: Any = {"node": node, "edges_out": [], "edges_in": [], "neighbours": {}, "findings": [], "history": []}
    assert show.node_lines(told, Style())[:4] == ["Task t", "  task:t", "  made 1 min 39 s ago at app.py:1", "  gone"]

# SPDX-License-Identifier: Apache-2.0
"""Attached to Apache Airflow as it is, which has nothing of ours: what its task waits for, by the lines of the DAG."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.attach.attach_story import CAN_ATTACH, attach
from tests.support.processes import end, environment
from tests.support.waiting import eventually

_AIRFLOW = shutil.which("airflow")

pytestmark = [
    CAN_ATTACH,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        _AIRFLOW is None, reason="no `airflow` on the path: its hundred dependencies are not among those of the tests"
    ),
]

DAG = """
import threading, time
from airflow.sdk import dag, task

@dag(schedule=None, catchup=False)
def shop():
    @task
    def pack():
        left, right = threading.Lock(), threading.Lock()
        both = threading.Barrier(2)

        def transfer(first, second):
            with first:
                both.wait()
                with second:
                    pass

        threading.Thread(target=transfer, args=(right, left), name="other").start()
        open("at-work", "w").close()
        transfer(left, right)

    @task
    def grind():
        open("at-work", "w").close()
        while True:
            time.sleep(0.2)
            sum(range(1000))

    pack(), grind()

shop()
"""


@contextmanager
def _task(folder: Path, name: str) -> Generator[int]:
    """One task of the DAG, by Airflow's own runner, once it is at work; the pid of its process."""
    (folder / "dags").mkdir()
    (folder / "dags" / "shop.py").write_text(DAG, encoding="utf-8")
    variables = environment() | {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    for step in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run([str(_AIRFLOW), *step], env=variables, cwd=folder, capture_output=True, timeout=200, check=True)
    with open(folder / "output", "w") as output:
        process = subprocess.Popen(
            [str(_AIRFLOW), "tasks", "test", "shop", name], env=variables, cwd=folder, stdout=output, stderr=output
        )
    try:
        begun = folder / "at-work"
        eventually(lambda: begun.exists() or process.poll() is not None, "the task to begin", 120, every=0.2)
        assert process.poll() is None, (folder / "output").read_text(encoding="utf-8")[-2000:]
        yield process.pid
    finally:
        end(process)


def test_a_task_that_is_stuck_is_told_with_the_line_of_its_dag(tmp_path: Path) -> None:
    with _task(tmp_path, "pack") as pid:
        said = attach(pid, "--alone", "--json")
        finding = json.loads(said.stdout)["findings"][0]
        assert (finding["kind"], finding["level"]) == ("deadlock", "PROVEN")
        assert f"{os.path.join('dags', 'shop.py')}:15" in said.stdout
        assert said.returncode == 1


def test_nothing_is_stuck_in_a_task_at_work(tmp_path: Path) -> None:
    with _task(tmp_path, "grind") as pid:
        said = attach(pid, "--alone", "--json")
        assert (json.loads(said.stdout)["findings"], said.returncode) == ([], 0)

# SPDX-License-Identifier: Apache-2.0
"""What the OpenTelemetry Operator copies into a container, copied and started as it does. Needs a package index."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.operator_image import Differs, add
from tests.support.collector import Collector
from tests.support.processes import end, environment
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
HOOK = "opentelemetry/instrumentation/auto_instrumentation"

pytestmark = [pytest.mark.slow, pytest.mark.packaging, pytest.mark.timeout(600)]

DEADLOCK = """
import asyncio, threading, idna, sitecustomize
print(idna.__version__, sitecustomize.__file__, flush=True)

async def hold(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0.1)
        async with second:
            pass

async def main() -> None:
    orders, stock = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(hold(orders, stock), hold(stock, orders))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    command = [sys.executable, ROOT / "scripts/operator_image.py", folder, "--python", PYTHON]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def variables(image: Path, tmp_path: Path) -> dict[str, str]:
    """What the operator sets, after its container has copied."""
    volume = tmp_path / "otel-auto-instrumentation-python"
    volume.mkdir()
    subprocess.run(["cp", "-r", f"{image}/autoinstrumentation/.", volume], check=True)
    return {"PYTHONPATH": f"{volume}/{HOOK}:{volume}", "OTEL_SERVICE_NAME": "shop"}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A Python without anything of ours, where a program has a library of its own that we have, too."""
    home = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "idna.py").write_text("__version__ = 'of the program'\n")
    (packages / "sitecustomize.py").write_text("import sys\nprint('the program has its own', file=sys.stderr)\n")
    return home / "bin/python"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    collector = Collector(tmp_path)
    yield collector
    collector.end()


def test_a_plain_program_is_watched_and_keeps_its_libraries(
    variables: dict[str, str], other: Path, collector: Collector, tmp_path: Path
) -> None:
    program = tmp_path / "shop.py"
    program.write_text(DEADLOCK)
    settings = environment(**variables | {"PEEPS_COLLECTOR_ENDPOINT": f"http://{collector.otlp}"})
    process = subprocess.Popen(
        [other, program], env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"of the program ")
        eventually(lambda: collector.peeps("why").returncode == 1, "the deadlock is told")
        said = collector.peeps("why").stdout
    finally:
        end(process)
    assert said.startswith("DEADLOCK, PROVEN, ")
    assert f"in shop (pid {process.pid})" in said
    assert "shop.py:8" in said
    assert process.stderr is not None


def test_what_the_program_has_of_its_own_comes_first_and_is_run(variables: dict[str, str], other: Path) -> None:
    code = "import json, sys; import idna, wrapt, opentelemetry.sdk.version as s, opentelemetry.trace as t; print("
    code += "json.dumps([m.__file__ for m in (idna, wrapt, s, t)]))"
    done = subprocess.run([other, "-c", code], env=environment(**variables), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "the program has its own\n")
    volume = variables["PYTHONPATH"].rpartition(":")[2]
    own, library, sdk, api = json.loads(done.stdout)
    assert own.startswith(str(other.parents[1]))
    assert library.startswith(f"{volume}/libraries/")
    assert sdk.startswith(f"{volume}/opentelemetry/")
    assert api.startswith(f"{volume}/opentelemetry/")


def test_what_cannot_be_watched_runs_as_it_is(variables: dict[str, str], other: Path) -> None:
    """A library of the program that ours cannot do with, and a hook that fails."""
    (packages,) = other.parents[1].glob("lib/python*/site-packages")
    (packages / "wrapt.py").write_text("raise RuntimeError('too old')\n")
    done = subprocess.run([other, "-c", "print('done')"], env=environment(**variables), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "too old" in done.stderr


def old_python() -> str | None:
    found = [shutil.which(f"python3.{minor}") for minor in range(10, 5, -1)]
    found += [str(path) for path in Path.home().glob(".pyenv/versions/3.*/bin/python") if path.parts[-3] < "3.11"]
    # What is found may be a switch to a version that is not chosen.
    works = (one for one in found if one and subprocess.run([one, "--version"], capture_output=True).returncode == 0)
    return next(works, None)


def test_an_older_python_is_left_alone(variables: dict[str, str]) -> None:
    """Where one is there: no module of ours is on its way then."""
    old = old_python()
    if old is None:
        pytest.skip("no Python before 3.11 here")
    code = "import sys; print([path for path in sys.path if 'otel-auto' in path])"
    done = subprocess.run([old, "-c", code], env=environment(**variables), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert "peeps-otel: not watched: this is cpython 3." in done.stderr


def test_everybody_may_read_it_and_both_kinds_of_libc_are_there(image: Path) -> None:
    for name, libc in (("autoinstrumentation", "gnu"), ("autoinstrumentation-musl", "musl")):
        files = [path for path in (image / name).rglob("*") if path.is_file()]
        assert [path for path in files if not path.stat().st_mode & 0o004] == []
        compiled = [path.name for path in files if ".cpython-" in path.name and path.suffix == ".so"]
        assert compiled
        assert [one for one in compiled if not one.endswith(f"-linux-{libc}.so")] == []
        assert (image / name / HOOK / "sitecustomize.py").read_text().startswith("# SPDX-License-Identifier")


def test_pythons_that_need_different_files_are_told(tmp_path: Path) -> None:
    for name, text in (("one", "a"), ("two", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "library.py").write_text(text)
    add(tmp_path / "one", tmp_path / "both")
    with pytest.raises(Differs, match=r"libraries/library\.py"):
        add(tmp_path / "two", tmp_path / "both")

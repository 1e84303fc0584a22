# SPDX-License-Identifier: Apache-2.0
"""The built component is the one in the tree, and the wheel carries what Streamlit needs. Its types: `make lint`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import peeps_dashboard

PACKAGE = Path(peeps_dashboard.__file__).parent
COMPONENT = PACKAGE / "components" / "waitgraph"
SOURCES = ("src", "package.json", "package-lock.json", "tsconfig.json", "build.mjs")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with the packages of the lock file, away from the tree."""
    if not (COMPONENT / "package.json").exists():
        pytest.skip("the TypeScript sources are not part of an installed wheel")
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs node and npm to build the component anew")
    place = tmp_path_factory.mktemp("waitgraph")
    for name in SOURCES:
        source = COMPONENT / name
        if source.is_dir():
            shutil.copytree(source, place / name)
        else:
            shutil.copy(source, place / name)
    kept = COMPONENT / "node_modules"
    lock = kept / ".checked-lock.json"  # by scripts/lint-typescript, once all of them are there
    if lock.exists() and lock.read_bytes() == (COMPONENT / "package-lock.json").read_bytes():
        (place / "node_modules").symlink_to(kept)
        return place
    installed = subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=place, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"npm ci did not work here (no registry?): {installed.stderr.strip()[-300:]}")
    return place


def test_building_anew_gives_the_same_bytes(workshop: Path) -> None:
    subprocess.run(["node", "build.mjs", "new.js"], cwd=workshop, check=True)
    assert (workshop / "new.js").read_bytes() == (COMPONENT / "dist" / "waitgraph.js").read_bytes(), (
        "run `npm ci && npm run build` in the component's folder and keep the result"
    )


def test_the_lock_file_names_no_host() -> None:
    lock = COMPONENT / "package-lock.json"
    if not lock.exists():
        pytest.skip("the TypeScript sources are not part of an installed wheel")
    packages = json.loads(lock.read_text())["packages"]
    assert [name for name, entry in packages.items() if "resolved" in entry] == []


def test_labels_are_only_ever_text() -> None:
    """Labels come from other programs, and the component runs in the page itself."""
    for source in (COMPONENT / "src").glob("*.ts"):
        text = source.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in text, f"{source.name} uses {way}"


def test_the_built_file_reaches_for_nothing_outside() -> None:
    built = (COMPONENT / "dist" / "waitgraph.js").read_text()
    assert built.startswith("// SPDX-License-Identifier: Apache-2.0 AND MIT\n// Built from ../src by")
    assert "https://" not in built
    assert "fetch(" not in built
    assert "XMLHttpRequest" not in built
    assert [part.split('"')[0] for part in built.split("http://")[1:]] == ["www.w3.org/2000/svg"]


@pytest.mark.slow
def test_a_wheel_is_found_by_streamlit(tmp_path: Path) -> None:
    project = PACKAGE.parent / "pyproject.toml"
    if not project.exists():
        pytest.skip("needs the source tree")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    made = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(project.parent)]
    subprocess.run(made, check=True)
    (wheel,) = tmp_path.glob("peeps_dashboard-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "peeps_dashboard/pyproject.toml",
        "peeps_dashboard/py.typed",
        "peeps_dashboard/components/waitgraph/dist/waitgraph.js",
        "peeps_dashboard/components/waitgraph/THIRD-PARTY-NOTICES.txt",
        "peeps_dashboard/static/page.css",
        "peeps_dashboard/static/icon.svg",
    ):
        assert needed in names
    assert [n for n in names if "node_modules" in n or n.endswith((".ts", ".mjs"))] == []
    target = tmp_path / "site"
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", str(target), str(wheel)], check=True)
    roots = _declared(target)
    assert str(target / "peeps_dashboard") in roots


def test_this_installation_is_found_by_streamlit() -> None:
    assert str(PACKAGE) in _declared(None)


def _declared(first: Path | None) -> list[str]:
    """Package folders in which Streamlit finds our component, with `first` before everything else."""
    code = (
        "import sys\n"
        f"sys.path[:0] = {[str(first)] if first else []!r}\n"
        "from streamlit.components.v2.manifest_scanner import scan_component_manifests\n"
        "for manifest, root in scan_component_manifests():\n"
        "    if manifest.name == 'peeps-dashboard': print(root)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()

# SPDX-License-Identifier: Apache-2.0
"""What the OpenTelemetry Operator copies into a container: `python scripts/operator_image.py FOLDER [REQUIREMENT ...]`.

Makes FOLDER/autoinstrumentation, for programs on glibc, and FOLDER/autoinstrumentation-musl, for those on musl
(Alpine); each for every Python of `--python`. Requirements are installed too, such as instrumentations of other
libraries. Needs pip and a package index. See docs/kubernetes.md.

Only OpenTelemetry and peeps stand at the top, which is before the program's own libraries; what they need stands in
`libraries`, which comes after them.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

_ROOT = Path(__file__).parents[1]
_OURS = ("peeps-otel", "peeps-otel-distro")
_FIRST = ("opentelemetry", "peeps_otel")
_PYTHONS = ("3.11", "3.12", "3.13", "3.14")
_LIBRARIES = "libraries"
_HOOK = Path("opentelemetry/instrumentation/auto_instrumentation/sitecustomize.py")
# pip takes each of them by its word, and not older ones as well.
_LIBC = {
    "autoinstrumentation": ("manylinux_2_17", "manylinux2014", "manylinux_2_5", "manylinux1"),
    "autoinstrumentation-musl": ("musllinux_1_2", "musllinux_1_1"),
}


class Differs(Exception):
    """Two Pythons would get different files of one name; the message says which."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where both are made; they must not be there")
    parser.add_argument("requirements", nargs="*", help="what is installed too, such as an instrumentation")
    parser.add_argument("--python", action="append", metavar="3.x", help=f"by default {', '.join(_PYTHONS)}")
    parser.add_argument("--machine", default=platform.machine(), help="by default this one's")
    parser.add_argument("--libc", choices=("glibc", "musl"), help="one of the two alone")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as scratch:
        wheels = Path(scratch) / "wheels"
        _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(_ROOT), str(_ROOT / "distro"))
        for name, platforms in _LIBC.items():
            if options.libc and (options.libc == "musl") != name.endswith("musl"):
                continue
            target = options.folder / name
            target.mkdir(parents=True)
            for python in options.python or _PYTHONS:
                one = Path(scratch) / name / python
                tags = [f"--platform={one}_{options.machine}" for one in platforms]
                _pip(
                    *("install", "--no-compile", "--only-binary=:all:", "--target", str(one)),
                    *(f"--python-version={python}", "--implementation=cp", *tags, f"--find-links={wheels}"),
                    *_OURS,
                    *options.requirements,
                )
                add(one, target)
            shutil.copyfile(_ROOT / "packaging/operator/sitecustomize.py", target / _HOOK)
            _readable(target)
    return 0


def add(installed: Path, target: Path) -> None:
    """Adds what was installed for one Python to what is there of others: compiled files have names of their own for
    each. Raises Differs."""
    shutil.rmtree(installed / "bin", ignore_errors=True)
    for source, place in _placed(installed):
        destination = target / place
        if not destination.exists():
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, destination)
        elif ".dist-info" not in place.as_posix() and _digest(source) != _digest(destination):
            raise Differs(f"{place} is not the same for all of the Pythons: give fewer with --python")


def _placed(installed: Path) -> Iterator[tuple[Path, Path]]:
    for source in sorted(installed.rglob("*")):
        if source.is_file():
            place = source.relative_to(installed)
            yield source, place if place.parts[0].startswith(_FIRST) else _LIBRARIES / place


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _readable(folder: Path) -> None:
    """By whoever the program runs as."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _pip(*arguments: str) -> None:
    """What it says is shown only where it fails: it warns of each package that is here in another version."""
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stdout}")


if __name__ == "__main__":
    sys.exit(main())

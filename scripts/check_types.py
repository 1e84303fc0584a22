# SPDX-License-Identifier: Apache-2.0
"""Pyright over what changed since all was found right, and over whatever imports what shows of that, also by way of
others: `python -m scripts.check_types [--all]`. Run by `make lint`, with the environment's Python.

What pyright says of a file depends on its text and on what shows of the files that it imports; what is within a
function whose result is declared shows nowhere. All is checked where there is no earlier run, or where pyright, the
settings or the installed packages are others, and in `make test`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_KEPT = Path(sys.prefix) / ".types-checked.json"
_ROOTS = ("distro/", "collector/", "dashboard/")
"""Folders beside the repository's own that packages are imported from."""


@dataclass(frozen=True)
class Checked:
    """A file as it was found right. `digest`: of its text. `shown`: of what others can see of it. `imports`: names of
    modules that its types depend on, and of things in them."""

    digest: str
    shown: str
    imports: tuple[str, ...]

    @classmethod
    def read(cls, name: str, text: str) -> Checked:
        tree = ast.parse(text)
        imported = _imports(name, tree)
        shown = ast.dump(_Shown().visit(tree)) if not name.endswith(".pyi") else text
        return cls(_digest(text), _digest(shown), imported)


def module(name: str) -> str:
    """What the file of this name (`collector/peeps_collector/api/app.py`) is imported as."""
    for root in _ROOTS:
        name = name.removeprefix(root)
    return name.rpartition(".")[0].removesuffix("/__init__").replace("/", ".")


class _Shown(ast.NodeTransformer):
    """Takes out what is within functions. Not where pyright reads it from outside: the result is not declared, names of
    the module or attributes are bound in it, or it is no more than a stub."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._without_body(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._without_body(node)

    def _without_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if node.returns is None or len(node.body) == 1 or any(map(_binds_outside, ast.walk(node))):
            return node
        generates = any(isinstance(one, (ast.Yield, ast.YieldFrom)) for one in ast.walk(node))
        node.body = [ast.Pass(), ast.Pass(), *([ast.Expr(ast.Yield())] if generates else [])]
        return node


def _binds_outside(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return not isinstance(node.ctx, ast.Load)
    return isinstance(node, (ast.Global, ast.Nonlocal))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _imports(name: str, tree: ast.Module) -> tuple[str, ...]:
    """What a file imports, anywhere in it, relative names made absolute; sorted. `from a.b import c` needs `a.b` and
    perhaps the module `a.b.c`, but nothing of what `a` says; `import a.b` does."""
    package = module(name).split(".")
    if not name.rpartition("/")[2].startswith("__init__."):
        package.pop()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {prefix for alias in node.names for prefix in _prefixes(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            within = ".".join([*base, *([node.module] if node.module else [])])
            found |= {within, *(f"{within}.{alias.name}" for alias in node.names)}
    return tuple(sorted(found))


def stale(before: Mapping[str, Checked], now: Mapping[str, Checked]) -> set[str]:
    """Of the files that are there now, those whose types may be others: new, changed, or importing, also by way of
    others, one that is new or gone or shows something else."""
    by_import: defaultdict[str, set[str]] = defaultdict(set)
    for name, file in now.items():
        for one in file.imports:
            by_import[one].add(name)
    todo = [name for name in {*before, *now} if _seen(before.get(name)) != _seen(now.get(name))]
    found = {name for name, file in now.items() if before.get(name) != file} | set(todo)
    while todo:
        for importer in by_import[module(todo.pop())] - found:
            found.add(importer)
            todo.append(importer)
    return found & now.keys()


def _seen(file: Checked | None) -> tuple[str, tuple[str, ...]] | None:
    return file and (file.shown, file.imports)


def main(arguments: list[str]) -> int:
    """Pyright's exit code."""
    surroundings, before = _kept()
    now = _files(before)
    around = _surroundings()
    everything = arguments == ["--all"] or surroundings != around
    chosen = [] if everything else sorted(name for name in stale(before, now) if not name.endswith("_pb2.pyi"))
    if everything or chosen:
        print("types: all files" if everything else f"types: {len(chosen)} files of {len(now)}", flush=True)
        command = [str(Path(sys.executable).with_name("pyright")), "--pythonpath", sys.executable]
        code = subprocess.run([*command, *chosen], cwd=_ROOT).returncode
        if code:
            return code
    part = _KEPT.with_suffix(f".{os.getpid()}")
    files = {name: [file.digest, file.shown, file.imports] for name, file in now.items()}
    part.write_text(json.dumps({"surroundings": around, "files": files}))
    part.replace(_KEPT)
    return 0


def _prefixes(name: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _kept() -> tuple[str, dict[str, Checked]]:
    try:
        kept = json.loads(_KEPT.read_text())
        return kept["surroundings"], {
            name: Checked(one, two, tuple(three)) for name, (one, two, three) in kept["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or of another version of this script
        return "", {}


def _files(before: Mapping[str, Checked]) -> dict[str, Checked]:
    """What is parsed already is not parsed again."""
    found: dict[str, Checked] = {}
    for path in _sources():
        name, text = path.relative_to(_ROOT).as_posix(), path.read_text(encoding="utf-8")
        known = before.get(name)
        found[name] = known if known and known.digest == _digest(text) else Checked.read(name, text)
    return found


def _sources() -> Iterable[Path]:
    for folder in tomllib.loads((_ROOT / "pyproject.toml").read_text())["tool"]["pyright"]["include"]:
        for path in (_ROOT / folder).rglob("*.py*"):
            if path.suffix in (".py", ".pyi") and "node_modules" not in path.parts and path.name[-7:] != "_pb2.py":
                yield path


def _surroundings() -> str:
    """Changes when what all files depend on does."""
    installed = sorted(f"{one.name} {one.version}" for one in distributions())
    texts = [Path(__file__).read_text(), (_ROOT / "pyproject.toml").read_text(), sys.version, *installed]
    return _digest("\n".join(texts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: Apache-2.0
"""What a source file of ours imports, relies on and changes, by its syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "peeps_otel": ROOT / "peeps_otel",
    "peeps_otel_distro": ROOT / "distro" / "peeps_otel_distro",
    "peeps_collector": ROOT / "collector" / "peeps_collector",
    "peeps_dashboard": ROOT / "dashboard" / "peeps_dashboard",
    "peeps_otel_native": ROOT / "native" / "peeps_otel_native",
}
_PRIVATE = re.compile(r"_[A-Za-z]\w*(?<!__)")
_DOCUMENTED = {"_replace", "_asdict", "_make", "_fields", "_exit", "_thread"}
"""Named tuples, `os._exit` and the module `_thread` begin so, and are in the reference."""
_OURS = "_peeps"
_SETTERS = re.compile(
    r"""gc\.(?!get_|is)\w+ | sys\.(?:set\w+|addaudithook)
    | signal\.(?:signal|pthread_sigmask|set_wakeup_fd|setitimer|alarm)
    | threading\.(?:set\w+) | faulthandler\.(?:enable|disable|register|unregister|dump_traceback_later)
    | atexit\.\w+ | os\.(?:register_at_fork|putenv|unsetenv|chdir|umask|nice|set\w+) | warnings\.(?:filter|simplefilter)
    | .*\.(?:addFilter|removeFilter|addHandler|setLevel)
    | .*\.(?:set_task_factory|set_exception_handler|set_event_loop_policy)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Source:
    """One file. `name`: as in `peeps_otel/probes/probe.py`."""

    path: Path
    name: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text())

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All of the tree."""
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> set[str]:
        """Whole names, `package.module.thing`, relative ones made absolute."""
        package = self.name.split("/")[:-1]
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                found |= {f"{module}.{alias.name}" for alias in node.names}
        return found

    @property
    def private_names(self) -> set[str]:
        """Names of others that begin with `_`: imported, asked for as an attribute, or written as a string."""
        found: set[str] = set()
        own = set(self._own_slots())
        for node in self.nodes:
            if isinstance(node, ast.Attribute):
                if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                    found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
        for imported in self.imports:
            if imported.partition(".")[0] not in PACKAGES:
                found |= set(imported.split("."))
        return {
            name
            for name in found - own - _DOCUMENTED
            if _PRIVATE.fullmatch(name) and not name.startswith(_OURS) and not name[1:].isupper()
        }

    @property
    def changes(self) -> set[str]:
        """What is changed for the whole process: attributes of foreign modules, and settings of the interpreter."""
        foreign = self._foreign_names()
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete)):
                targets = node.targets if isinstance(node, (ast.Assign, ast.Delete)) else [node.target]
                for target in targets:
                    if isinstance(target, (ast.Attribute, ast.Subscript)) and _root(target) in foreign:
                        found.add(ast.unparse(target))
                    elif isinstance(target, ast.Attribute) and target.attr in ("__code__", "__class__", "__dict__"):
                        found.add(target.attr)
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                is_setattr = called in ("setattr", "delattr") and _root(node.args[0]) in foreign
                if is_setattr or _SETTERS.fullmatch(called):
                    found.add(called)
        return found

    @property
    def written_names(self) -> set[str]:
        """Strings that look like a name of our semantic conventions."""
        return {
            node.value
            for node in self.nodes
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"peeps\.[a-z0-9_]+(\.[a-z0-9_]+)*", node.value)
        }

    def _own_slots(self) -> Iterator[str]:
        for node in self.nodes:
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == "__slots__" for target in node.targets
            ):
                for one in ast.walk(node.value):
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        yield one.value

    def _foreign_names(self) -> set[str]:
        """What this file calls the modules, classes and functions of others that it imports."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                aliases = [alias for alias in node.names if alias.name.partition(".")[0] not in PACKAGES]
                found |= {alias.asname or alias.name.partition(".")[0] for alias in aliases}
            elif (
                isinstance(node, ast.ImportFrom)
                and not node.level
                and (node.module or "").partition(".")[0] not in PACKAGES
            ):
                found |= {alias.asname or alias.name for alias in node.names}
        return found


def _root(node: ast.expr) -> str:
    """`a` of `a.b[c].d`; empty for what begins otherwise."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@cache
def sources(package: str) -> Sequence[Source]:
    """All of a package that people have written. Read once for all tests: they ask for the same trees."""
    folder = PACKAGES[package]
    return [
        Source(path, f"{package}/{path.relative_to(folder).as_posix()}")
        for path in sorted(folder.rglob("*.py"))
        if "node_modules" not in path.parts and not path.name.endswith("_pb2.py")
    ]

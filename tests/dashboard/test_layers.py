# SPDX-License-Identifier: Apache-2.0
"""What may import what: the explorer stands on the query API alone, and `view` knows no Streamlit."""

from __future__ import annotations

import ast
from pathlib import Path

import peeps_dashboard
from peeps_dashboard.launch import PAGES

PACKAGE = Path(peeps_dashboard.__file__).parent


def imported(source: Path) -> set[str]:
    """Top-level names of absolute imports, `urllib.parse` whole, and whole relative ones with their dots."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            whole = node.level or name == "urllib.parse"  # that part opens no address
            names.add("." * node.level + name if whole else name.partition(".")[0])
    return names


def test_nothing_of_the_program_or_the_collector_is_imported() -> None:
    for source in PACKAGE.rglob("*.py"):
        assert not imported(source) & {"peeps_otel", "peeps_collector", "duckdb", "opentelemetry"}, source


def test_view_is_pure() -> None:
    for source in (PACKAGE / "view").glob("*.py"):
        assert not imported(source) & {"streamlit", "pandas", "urllib", "..client", "..screens", "..components"}, source


def test_no_folder_that_streamlit_takes_for_pages() -> None:
    """Beside its script Streamlit runs each file of a folder `pages` as a page of its own, by its address."""
    assert not (PACKAGE / "pages").exists()


def test_every_page_has_its_address_and_name_in_the_list_that_is_known_before_streamlit() -> None:
    told: list[tuple[str, str]] = []
    assigned = next(
        node.value
        for node in ast.parse((PACKAGE / "app.py").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PAGES"
    )
    assert isinstance(assigned, ast.Tuple)
    for screen in assigned.elts:
        tree = ast.parse((PACKAGE / "screens" / f"{ast.unparse(screen)}.py").read_text())
        call = next(
            node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "st.Page"
        )
        given = {one.arg: one.value for one in call.keywords}
        path, title = given.get("url_path", ast.Constant("")), given["title"]
        assert isinstance(path, ast.Constant)
        assert isinstance(title, ast.Constant)
        told.append(("" if "default" in given else str(path.value), str(title.value)))
    assert told == list(PAGES)


def test_every_source_names_its_licence() -> None:
    for pattern, line in (("*.py", "# SPDX"), ("*.ts", "// SPDX"), ("*.mjs", "// SPDX"), ("*.css", "/* SPDX")):
        for source in PACKAGE.rglob(pattern):
            if "node_modules" not in source.parts:
                assert source.read_text().startswith(f"{line}-License-Identifier: Apache-2.0"), source

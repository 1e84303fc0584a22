# SPDX-License-Identifier: Apache-2.0
"""Loaded by each Python that starts under `peeps run`, before its program: begins to watch, then makes way.

The Python may be of another environment, where peeps is not installed: the package is loaded from where this file is.
"""

# Written so that an old Python can read it, too: it is told that it is too old, and runs on.
import os
import sys


def _say(text: str) -> None:
    os.write(2, f"peeps: pid {os.getpid()}: {text}\n".encode("utf-8", "replace"))


def _package(root: str) -> None:
    """Loads the package from `root` where the environment has none."""
    import importlib.util

    if importlib.util.find_spec("peeps_otel") is not None:
        return
    spec = importlib.util.spec_from_file_location(
        "peeps_otel", os.path.join(root, "__init__.py"), submodule_search_locations=[root]
    )
    if spec is None or spec.loader is None:
        raise ImportError(root)
    module = importlib.util.module_from_spec(spec)
    sys.modules["peeps_otel"] = module
    spec.loader.exec_module(module)


def _make_way(here: str) -> None:
    """For the `sitecustomize` that would have been loaded without us."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours


def _watch(here: str) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  it may come into any Python
        _say("Python {}.{} cannot be watched, 3.11 is the oldest".format(*sys.version_info[:2]))
        return
    try:
        _package(os.path.dirname(os.path.dirname(here)))
        from peeps_otel.local.reported_process import start

        wrong = start()
    except Exception as error:
        wrong = f"could not start; the program is not affected: {error!r}"
    if wrong:
        _say(wrong)


_here = os.path.dirname(os.path.abspath(__file__))
_watch(_here)
_make_way(_here)

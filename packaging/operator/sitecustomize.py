# SPDX-License-Identifier: Apache-2.0
"""What Python runs first in a container that the OpenTelemetry Operator has prepared. Read by every Python 3 there is.

It stands where OpenTelemetry's own would, in `opentelemetry/instrumentation/auto_instrumentation`, to which PYTHONPATH
leads. OpenTelemetry and peeps are found before what the program has of them; every other library of ours only where the
program has none. Nothing here ends the program.
"""

import os
import sys

OLDEST = (3, 11)
_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))


def _same(path: str) -> bool:
    return os.path.abspath(path) in (_HERE, _ROOT)


def _own_of_the_program() -> None:
    """Runs the `sitecustomize` that ours hides, if there is one."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if not _same(path)])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


def _watch() -> None:
    if sys.version_info < OLDEST or sys.implementation.name != "cpython":
        sys.path[:] = [path for path in sys.path if not _same(path)]
        text = "peeps-otel: not watched: this is {} {}.{}, and CPython {}.{} is needed\n"
        sys.stderr.write(text.format(sys.implementation.name, *(sys.version_info[:2] + OLDEST)))
        return
    sys.path.append(os.path.join(_ROOT, "libraries"))
    from opentelemetry.instrumentation.auto_instrumentation import initialize  # pyright: ignore[reportMissingTypeStubs]  # it is typed, and says so nowhere

    initialize()


try:
    _own_of_the_program()
finally:
    try:
        _watch()
    except Exception as error:
        sys.stderr.write("peeps-otel: not watched: {}: {}\n".format(type(error).__name__, error))  # noqa: UP032  # Python 3.5 has no f-strings

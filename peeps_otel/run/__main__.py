# SPDX-License-Identifier: Apache-2.0
"""`python -m peeps_otel.run [OPTIONS] -- COMMAND …`: the same as `peeps run`. Needs the standard library alone."""

from __future__ import annotations

import os
import sys

from .command_line import arguments
from .parent import run


def main(words: list[str]) -> int:
    """The exit code, where the command did not end by a signal: then neither does this return."""
    options = arguments(words)
    return run(options.command, options.environment(os.environ), options.on_exit)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

# SPDX-License-Identifier: Apache-2.0
"""`python -m peeps_otel.attach PID`: `peeps attach` without the collector's wheel."""

from __future__ import annotations

import argparse
import sys

from .arguments import HELP, add_arguments


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m peeps_otel.attach", description=HELP)
    add_arguments(parser)
    options = parser.parse_args()
    from .command import run

    try:
        return run(options)
    except OSError as error:
        print(f"peeps: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

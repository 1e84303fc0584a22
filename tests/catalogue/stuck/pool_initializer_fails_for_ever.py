# SPDX-License-Identifier: Apache-2.0
"""Every worker of a pool ends in its initializer, and the pool starts another one, for ever."""

import multiprocessing


def connect() -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2, initializer=connect) as pool:
        pool.map(abs, range(4))  # <- waits for the result

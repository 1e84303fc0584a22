# SPDX-License-Identifier: Apache-2.0
"""A worker raises an exception that cannot be made again from its pickle: that ends the pool's thread for results, and
whoever waits for one waits for ever."""

import multiprocessing


class Refused(Exception):
    def __init__(self, what: str, code: int) -> None:
        super().__init__(what)
        self.code = code


def work(number: int) -> int:
    if number == 1:
        raise Refused("no", 403)
    return number


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(work, range(4)))  # <- main waits for the results

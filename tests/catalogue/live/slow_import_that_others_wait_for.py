# SPDX-License-Identifier: Apache-2.0
"""A module takes long to import; two threads wait for it."""

import threading
import time


def use() -> None:
    time.sleep(0.3)
    import slow_import_that_others_wait_for

    print(slow_import_that_others_wait_for)


if __name__ == "__main__":
    for number in range(2):
        threading.Thread(target=use, name=f"user-{number}").start()
    import slow_import_that_others_wait_for

    print(slow_import_that_others_wait_for)
else:
    time.sleep(20)

# SPDX-License-Identifier: Apache-2.0
"""The body of a module takes a lock that another thread has, which imports that module meanwhile."""

import sys
import threading
import time


def plug() -> None:
    registry = sys.modules["__main__"].registry
    with registry:  # <- plugin takes registry
        time.sleep(0.6)
        import import_against_a_lock  # <- plugin waits for the import

        print(import_against_a_lock)


if __name__ == "__main__":
    registry = threading.Lock()
    threading.Thread(target=plug, name="plugin").start()
    time.sleep(0.3)
    import import_against_a_lock  # <- main imports

    print(import_against_a_lock)
else:
    registry = sys.modules["__main__"].registry
    with registry:  # <- main waits for registry
        print("registered")

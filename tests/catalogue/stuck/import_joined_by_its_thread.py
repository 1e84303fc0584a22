# SPDX-License-Identifier: Apache-2.0
"""A module starts a thread when it is imported, and joins it; the thread imports the same module."""

import threading


def load() -> None:
    import import_joined_by_its_thread  # <- loader waits for the import

    print(import_joined_by_its_thread)


if __name__ == "__main__":
    import import_joined_by_its_thread  # <- main imports

    print(import_joined_by_its_thread)
else:
    loader = threading.Thread(target=load, name="loader")
    loader.start()
    loader.join()  # <- main joins

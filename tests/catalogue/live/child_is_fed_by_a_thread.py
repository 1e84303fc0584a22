# SPDX-License-Identifier: Apache-2.0
"""The main thread waits for a child to which another thread gives a line now and then."""

import subprocess
import sys
import threading
import time
from typing import IO

_READ = "import sys\nfor line in sys.stdin: pass"


def feed(stdin: IO[bytes]) -> None:
    for _ in range(100):
        stdin.write(b"a line\n")
        stdin.flush()
        time.sleep(1)
    stdin.close()


child = subprocess.Popen([sys.executable, "-c", _READ], stdin=subprocess.PIPE)
assert child.stdin is not None
threading.Thread(target=feed, args=(child.stdin,), daemon=True, name="feed").start()
child.wait()

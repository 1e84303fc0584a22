# SPDX-License-Identifier: Apache-2.0
"""`Popen.wait()` before stdin is closed: the child reads to its end, and nobody else could end it."""

import subprocess
import sys

child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
child.wait()  # <- waits for the child

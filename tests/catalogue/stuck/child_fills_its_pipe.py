# SPDX-License-Identifier: Apache-2.0
"""`Popen.wait()` before the output is read: the child has filled the pipe, and waits for somebody to read it."""

import subprocess
import sys

child = subprocess.Popen([sys.executable, "-c", "print('x' * 1_000_000)"], stdout=subprocess.PIPE)
child.wait()  # <- waits for the child

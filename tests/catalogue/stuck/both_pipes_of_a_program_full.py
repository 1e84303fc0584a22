# SPDX-License-Identifier: Apache-2.0
"""A megabyte is written to `cat` before anything that it prints is read: both pipes fill."""

import subprocess

child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
assert child.stdin is not None
assert child.stdout is not None
child.stdin.write(bytes(1_000_000))  # <- writes to cat
child.stdin.close()
child.stdout.read()

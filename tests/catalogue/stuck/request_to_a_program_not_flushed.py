# SPDX-License-Identifier: Apache-2.0
"""A line is written to a program's input, but stays in the buffer; its answer is waited for."""

import subprocess

child = subprocess.Popen(["sed", "-u", "s/a/b/"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
assert child.stdin is not None
assert child.stdout is not None
child.stdin.write(b"an answer\n")
child.stdout.readline()  # <- waits for the answer

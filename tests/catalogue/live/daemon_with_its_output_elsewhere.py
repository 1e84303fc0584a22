# SPDX-License-Identifier: Apache-2.0
"""Daemons are started with their output elsewhere, again and again; a command of 1 s is waited for."""

import subprocess
import time

daemons: "list[subprocess.CompletedProcess[bytes]]" = []
while True:
    daemons.append(subprocess.run("sleep 60 >/dev/null 2>&1 & echo started", shell=True, capture_output=True))
    subprocess.run(["sleep", "1"], capture_output=True)
    time.sleep(3)

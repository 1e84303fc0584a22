# SPDX-License-Identifier: Apache-2.0
"""`subprocess.run` waits for the end of the output of a shell that has ended; what it left keeps the pipe."""

import subprocess

subprocess.run("sleep 3600 & echo started", shell=True, capture_output=True)  # <- waits for the end of the output

# SPDX-License-Identifier: Apache-2.0
"""`subprocess.run` waits for the output of a pipeline whose first command sleeps."""

import subprocess

subprocess.run("(sleep 3600; echo done) | cat", shell=True, capture_output=True)

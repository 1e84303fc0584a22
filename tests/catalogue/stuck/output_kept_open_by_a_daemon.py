# SPDX-License-Identifier: Apache-2.0
"""A command starts a server in a session of its own and ends; who reads what it prints waits for the server, too."""

import subprocess
import sys

START = "import subprocess; subprocess.Popen(['sleep', '90'], start_new_session=True); print('started')"


def start() -> str:
    command = subprocess.Popen([sys.executable, "-S", "-c", START], stdout=subprocess.PIPE, text=True)
    out, _ = command.communicate()  # <- waits for the end of the output
    return out


start()

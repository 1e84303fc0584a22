# SPDX-License-Identifier: Apache-2.0
"""The program of docs/roam.md, run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "roam.md"


def test_the_program_of_the_page_runs() -> None:
    program = re.findall(r"^```python\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.M | re.S)[0]
    ran = subprocess.run([sys.executable, "-c", program], check=True, timeout=60, stdout=subprocess.PIPE, text=True)
    assert ran.stdout == "5\n10\n"

# SPDX-License-Identifier: Apache-2.0
"""The texts of the modules that are rewritten are not kept: hundreds of kilobytes that nobody needs any more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_STARTED = """
import linecache
linecache.cache["mine.py"] = (1, None, ["a\\n"], "mine.py")
from peeps_otel.config import read
from peeps_otel.looking import Patches
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.asyncio.probe import AsyncioProbe
patches, context = Patches(read({})), ProbeContext(None)
probe = AsyncioProbe(patches.recorder, context=context, patch=patches.asyncio)
CompositeProbe([probe], context).install()
assert patches.asyncio.installed and not patches.asyncio.coverage, patches.asyncio.coverage
files = [name for name in linecache.cache if name != "<string>"]  # of this very text, from 3.13 on
assert files == ["mine.py"], files
from peeps_otel.probes.patches import source_patch
assert source_patch._lines.cache_info().currsize == source_patch._source.cache_info().currsize == 0
"""


def test_no_text_of_the_standard_library_is_kept_once_it_is_rewritten() -> None:
    subprocess.run([sys.executable, "-c", _STARTED], cwd=ROOT, check=True, timeout=60)

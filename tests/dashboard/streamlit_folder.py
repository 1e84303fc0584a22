# SPDX-License-Identifier: Apache-2.0
"""Where Streamlit's files are, found without importing it, which takes long."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_SPEC = importlib.util.find_spec("streamlit")
assert _SPEC is not None
assert _SPEC.origin is not None
STREAMLIT_FOLDER = Path(_SPEC.origin).parent

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

# Test modules are imported one by one (--import-mode=importlib); what they share must be found by name.
sys.path.insert(0, str(Path(__file__).parent))

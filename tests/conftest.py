# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tests.support.examples  # noqa: F401  # its profile of Hypothesis is there before pytest loads the one asked for

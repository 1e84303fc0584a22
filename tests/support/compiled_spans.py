# SPDX-License-Identifier: Apache-2.0
"""To be imported where collectors are forked from: the decoder of spans, compiled once for all of them where Numba is
installed. Each would take a quarter of a second of processor time to load it."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("numba") is not None:
    from peeps_collector.decode.columns.spans import SpanColumns, example
    from peeps_collector.store.arrow import leave_pandas_out

    leave_pandas_out()
    for _ in SpanColumns().steps(example(), 1):
        pass

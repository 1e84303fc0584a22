# SPDX-License-Identifier: Apache-2.0
"""Whether spans can be decoded to columns: it needs Numba, which the extra `peeps-collector[fast]` installs.

The first time on a machine it compiles for some seconds, later it loads what was compiled. Both happen beside the
service, once spans come, and until then they are decoded the ordinary way: who sends none does not pay for it.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Generator
from typing import Protocol

from .rows import Decoded

_log = logging.getLogger(__name__)


class SpanDecoder(Protocol):
    def steps(self, body: bytes, now_ns: int) -> Generator[None, None, list[Decoded] | None]:
        """All that is in a protobuf request, or None where it is malformed."""
        ...


class Compiled:
    """`ask` belongs to one thread."""

    def __init__(self) -> None:
        self._decoder: SpanDecoder | None = None
        self._is_asked = False

    @property
    def is_ready(self) -> bool:
        return self._decoder is not None

    def ask(self) -> SpanDecoder | None:
        """None until it is ready, and where there is none. The first time it begins to get ready, in a thread of its
        own."""
        if not self._is_asked:
            self._is_asked = True
            self._start()
        return self._decoder

    def _start(self) -> None:
        if importlib.util.find_spec("numba") is not None:
            threading.Thread(target=self._load, name="peeps-compile", daemon=True).start()

    def _load(self) -> None:
        try:
            from .columns.spans import SpanColumns, example

            decoder = SpanColumns()
            for _ in decoder.steps(example(), 1):
                pass  # every function is compiled now, not in the midst of a request
        except Exception:
            _log.exception("Numba does not work here; spans are decoded the ordinary way")
        else:
            self._decoder = decoder

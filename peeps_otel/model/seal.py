# SPDX-License-Identifier: Apache-2.0
"""That a finding, or the text of a line, is told by the process whose snapshots it rests on: a keyed hash with the
secret of its stream.

Whoever can reach the collector can send under any name, and everything that was sent can be read there but for the
secret. Not for keeping anything secret, nor against who reads what the process sends.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest

from .finding import Finding


def finding_seal(secret: int, finding: Finding, core: list[str], state: str, time_ns: int) -> str:
    """32 hexadecimal digits. `secret`: of the stream, 64 bits; `core`: as it is sent, `time_ns`: of the record."""
    return _keyed(secret, finding.id, finding.level.value, state, str(time_ns), finding.title, *core)


def text_seal(secret: int, place: str, first: int, text: str) -> str:
    """The same for lines of source."""
    return _keyed(secret, place, str(first), text)


def is_sealed(seal: str, secret: int, finding: Finding, state: str, time_ns: int) -> bool:
    """Whether it is the seal of this finding as it arrived."""
    expected = finding_seal(secret, finding, finding.core, state, time_ns)
    return compare_digest(seal.encode(errors="replace"), expected.encode())


def is_text_sealed(seal: str, secret: int, place: str, first: int, text: str) -> bool:
    """Whether it is the seal of these lines as they arrived."""
    return compare_digest(seal.encode(errors="replace"), text_seal(secret, place, first, text).encode())


def _keyed(secret: int, *told: str) -> str:
    text = "\n".join(told).encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=16, key=secret.to_bytes(8, "big")).hexdigest()

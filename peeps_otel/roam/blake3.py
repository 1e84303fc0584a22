# SPDX-License-Identifier: Apache-2.0
"""BLAKE3 with 32 bytes of output, for method ids. Slow, for short inputs, and without a dependency.

Written from the BLAKE3 paper, with its names.
"""

from __future__ import annotations

import struct

_IV = (
    0x6A09E667,
    0xBB67AE85,
    0x3C6EF372,
    0xA54FF53A,
    0x510E527F,
    0x9B05688C,
    0x1F83D9AB,
    0x5BE0CD19,
)
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8
_BLOCK, _CHUNK = 64, 1024
_MASK = 0xFFFFFFFF

_Words = tuple[int, ...]


def blake3(data: bytes) -> bytes:
    """The hash, 32 bytes."""
    return struct.pack("<8I", *_tree(data, 0, _ROOT))


def _tree(data: bytes, counter: int, root: int) -> _Words:
    """The left side of each node has as many whole chunks as the largest power of two that leaves something right."""
    if len(data) <= _CHUNK:
        return _chunk(data, counter, root)
    chunks = 1 << ((len(data) - 1) // _CHUNK).bit_length() - 1
    left = _tree(data[: chunks * _CHUNK], counter, 0)
    right = _tree(data[chunks * _CHUNK :], counter + chunks, 0)
    return _compress(_IV, left + right, 0, _BLOCK, _PARENT | root)


def _chunk(data: bytes, counter: int, root: int) -> _Words:
    chaining: _Words = _IV
    blocks = [data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK)] or [b""]
    for number, block in enumerate(blocks):
        flags = _CHUNK_START if number == 0 else 0
        if number == len(blocks) - 1:
            flags |= _CHUNK_END | root
        words = struct.unpack("<16I", block.ljust(_BLOCK, b"\0"))
        chaining = _compress(chaining, words, counter, len(block), flags)
    return chaining


def _compress(chaining: _Words, words: _Words, counter: int, size: int, flags: int) -> _Words:
    state = [*chaining, *_IV[:4], counter & _MASK, counter >> 32, size, flags]
    for number in range(7):
        for at, (a, b, c, d) in enumerate(_COLUMNS + _DIAGONALS):
            _mix(state, a, b, c, d, words[2 * at], words[2 * at + 1])
        if number < 6:
            words = tuple(words[at] for at in _PERMUTATION)
    return tuple(state[at] ^ state[at + 8] for at in range(8))


def _mix(state: list[int], a: int, b: int, c: int, d: int, x: int, y: int) -> None:
    state[a] = state[a] + state[b] + x & _MASK
    state[d] = _rotate(state[d] ^ state[a], 16)
    state[c] = state[c] + state[d] & _MASK
    state[b] = _rotate(state[b] ^ state[c], 12)
    state[a] = state[a] + state[b] + y & _MASK
    state[d] = _rotate(state[d] ^ state[a], 8)
    state[c] = state[c] + state[d] & _MASK
    state[b] = _rotate(state[b] ^ state[c], 7)


def _rotate(word: int, by: int) -> int:
    return (word >> by | word << 32 - by) & _MASK

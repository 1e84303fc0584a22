# SPDX-License-Identifier: Apache-2.0
"""Which process a snapshot is of. A stream is bound to its first sender by its secret: who has another one is another
process, as long as the first one is there."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from peeps_otel.model.wire_decoder import Head, WireError

from ..decode.resource import ProcessInfo
from .process import Process, State

_JUMP_MOST = 1_000_000  # snapshots: eleven days of one a second


class Binding(Enum):
    """`OLD`: a repetition, or a late one of a stream that was replaced. `APART`: of another program under this name."""

    HERE = auto()
    OLD = auto()
    APART = auto()


def binding_of(process: Process, head: Head) -> Binding:
    """How a snapshot stands to the process that its resource names. Raises WireError."""
    same = process.stream_id == head.stream_id
    if process.stream_id is not None and process.secret and process.secret != head.secret:
        return Binding.HERE if process.state is State.GONE else Binding.APART
    if same and head.sequence <= process.sequence:
        return Binding.OLD
    if same and head.sequence > process.sequence + _JUMP_MOST:
        raise WireError(
            f"peeps.snapshot: sequence={head.sequence} is too far ahead of {process.sequence}; begin a new stream"
        )
    if not same and process.sequence and head.time_ns < process.stream_began_ns:
        return Binding.OLD  # a late one of the stream before
    if not same and head.stream_id in process.past_streams:
        # Replaced, but still speaking: a forked copy under the same identity. Two programs, two graphs.
        return Binding.APART
    return Binding.HERE


def apart(info: ProcessInfo, head: Head) -> ProcessInfo:
    """The other program, under a name of its own. Raises WireError where that is another sender's too."""
    if info.id.endswith(f"/{head.stream_id:016x}"):
        raise WireError("peeps.snapshot: this stream belongs to another sender, which told its secret first")
    return replace(info, id=f"{info.id}/{head.stream_id:016x}")

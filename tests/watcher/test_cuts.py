# SPDX-License-Identifier: Apache-2.0
"""Who asks for a cut gets the first complete snapshot of a look that began after the question."""

from __future__ import annotations

from peeps_otel.model import Snapshot
from peeps_otel.watcher.cuts import Cuts


def snapshot(sequence: int) -> Snapshot:
    return Snapshot(stream_id=1, sequence=sequence, time_ns=1, key_frame=True)


def test_a_look_that_had_begun_does_not_count() -> None:
    cuts, taken = Cuts(), list[Snapshot]()
    assert not cuts.before_look()
    cuts.request(taken.append)
    cuts.after_look(snapshot(1))
    assert taken == []
    assert cuts.before_look()
    cuts.after_look(snapshot(2))
    assert taken == [snapshot(2)]
    assert not cuts.before_look()
    cuts.after_look(snapshot(3))
    assert taken == [snapshot(2)]  # once

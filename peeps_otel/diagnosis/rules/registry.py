# SPDX-License-Identifier: Apache-2.0
"""All rules, in one tuple.

A new one: a class in a file of its own here (`rule.py` says what it has, `context.py` what it reads), its line in this
tuple, a test, `python tests/diagnosis/findings_page.py`. Of a new kind besides: `FindingKind`, the attribute's member
in `proto/semconv/attributes.yaml` and `docs/glossary.md`; tests miss these.
"""

from __future__ import annotations

from .asks_own_service import AsksOwnService
from .call_abandoned import CallAbandoned
from .call_unanswered import CallUnanswered
from .cancel_ignored import CancelIgnored
from .channel_full import ChannelFull
from .channel_not_drained import ChannelNotDrained
from .child_awaits_input import ChildAwaitsInput
from .deadlock import Deadlock
from .exception_never_retrieved import ExceptionNeverRetrieved
from .executor_saturated import ExecutorSaturated
from .held_across_wait import HeldAcrossWait
from .held_at_fork import HeldAtFork
from .held_by_process import HeldByProcess
from .jobs_wait_for_jobs import JobsWaitForJobs
from .keeps_trying import KeepsTrying
from .leak import Leak
from .lock_starved import LockStarved
from .loop_asleep import LoopAsleep
from .loop_blocked import LoopBlocked
from .lost_wakeup import LostWakeup
from .lost_with_process import LostWithProcess
from .never_ends import NeverEnds
from .never_exits import NeverExits
from .never_yields import NeverYields
from .no_worker_left import NoWorkerLeft
from .nothing_moves import NothingMoves
from .order_risk import OrderRisk
from .peer_not_reading import PeerNotReading
from .pipe_kept_open import PipeKeptOpen
from .pool_exhausted import PoolExhausted
from .pool_lost_results import PoolLostResults
from .pool_waits_for_itself import PoolWaitsForItself
from .pool_workers_die import PoolWorkersDie
from .process_silent import ProcessSilent
from .rule import Rule
from .self_waking import SelfWaking
from .semaphore_starved import SemaphoreStarved
from .server_never_stops import ServerNeverStops
from .server_waits_for_itself import ServerWaitsForItself
from .task_destroyed import TaskDestroyed
from .task_growth import TaskGrowth
from .times_out import TimesOut
from .transaction_waits import TransactionWaits
from .unusually_long import UnusuallyLong

RULES: tuple[type[Rule], ...] = (
    HeldAtFork,
    LostWithProcess,
    PoolWaitsForItself,
    PoolWorkersDie,
    PoolLostResults,
    ServerWaitsForItself,
    AsksOwnService,
    JobsWaitForJobs,
    TransactionWaits,
    Deadlock,
    NeverEnds,
    LockStarved,
    SemaphoreStarved,
    ChannelFull,
    LoopBlocked,
    LoopAsleep,
    NeverYields,
    LostWakeup,
    CancelIgnored,
    CallAbandoned,
    ChannelNotDrained,
    ChildAwaitsInput,
    PipeKeptOpen,
    ServerNeverStops,
    PeerNotReading,
    NoWorkerLeft,
    PoolExhausted,
    TimesOut,
    HeldAcrossWait,
    HeldByProcess,
    ExecutorSaturated,
    KeepsTrying,
    SelfWaking,
    TaskDestroyed,
    ExceptionNeverRetrieved,
    TaskGrowth,
    CallUnanswered,
    UnusuallyLong,
    ProcessSilent,
    Leak,
    OrderRisk,
    NothingMoves,
    NeverExits,
)
"""In the order in which they are asked: what one that `explains` names, those after it leave out."""

MARKS: frozenset[str] = frozenset(mark for rule in RULES for mark in rule.marks)
"""The attributes of nodes that some rule speaks of."""

# SPDX-License-Identifier: Apache-2.0
"""A pipe does not end: whoever should have written to it has ended, and another process has it too."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import wording
from ..frames import place
from . import one_wait
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class PipeKeptOpen(LookRule):
    """Who reads from a pipe waits for its end, which comes when the last one closes it that has inherited it: of what a
    child prints, a process that it has started; of a pipe that is handed on by a fork, a child that does not use it."""

    name = "pipe_kept_open"
    kind = FindingKind.NEVER_ENDS
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Somebody has waited {slow} for the end of what a child prints. The child has ended, and another process that "
        "inherited the pipe keeps it open; or for a pipe that nobody but a child has open to write, as a mere number, "
        "and that one waits or sleeps itself. SUSPECT after {long}. Or somebody waits for a child that waits for the "
        "end of its input, which another process has open as a mere number: SLOW"
    )
    advice = (
        "Start what is to outlive its parent with its output elsewhere (`>/dev/null 2>&1`, `stdout=DEVNULL`), or read "
        "with a timeout"
    )
    explains = True
    _of_a_fork = (
        "Close the end to write in every process that does not write, in each child right after the fork: the reader "
        "sees the end only when the last one has closed it"
    )

    _of_an_input = (
        "Start the other process with `close_fds=True`, which is the default, and leave the pipe's end to write not "
        "inheritable"
    )

    long = seconds(15, "how long it must have lasted before it is more than slow")
    slow = seconds(5, "how long it must have lasted before it is worth a word")

    far = seconds(600, "how long such a child must go on sleeping")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        yield from self._of_children(context)
        yield from self._of_pipes(context)

    def _of_pipes(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for pipe in context.of(NodeKind.IO):
            if pipe.attributes.get(semconv.IO_BY_NUMBER) is not True or pipe.attributes.get(semconv.IO_UNREAD) != 0:
                continue
            waiter = graph.oldest_waiter(pipe.id)
            if waiter is None or waiter not in graph.settled or waiter in graph.bounded or waiter in context.explained:
                continue
            keepers = [node for one in graph.reached.get(pipe.id, ()) if (node := graph.nodes.get(one)) is not None]
            # A child often waits so for the end of its parent, and means to.
            is_below = semconv.THREAD_PROCESS in graph.nodes[waiter].attributes
            if is_below or not keepers or not all(self._stands(context, one) for one in keepers):
                continue
            waited_ns = context.now_ns - graph.wait_of(waiter).since_ns
            if waited_ns >= self.slow:
                yield Candidate(
                    kind=self.kind,
                    level=Level.SUSPECT if waited_ns >= self.long else Level.SLOW,
                    since_ns=graph.wait_of(waiter).since_ns,
                    core=[waiter, pipe.id],
                    about=[pipe.id],
                    tell=lambda pipe=pipe, waiter=waiter, keeper=keepers[0]: self._tell_pipe(
                        context, pipe, waiter, keeper
                    ),
                    explains=context.newly_behind({pipe.id, waiter}),
                )

    def _stands(self, context: RuleContext, keeper: Node) -> bool:
        """Whether a child's main thread is in a wait that no timer ends soon."""
        wait = keeper.wait
        if wait is None or context.now_ns - wait.since_ns < self.slow:
            return False
        if semconv.THREAD_PROCESS not in keeper.attributes:
            return False
        return wait.deadline_ns is None or wait.deadline_ns - context.now_ns >= self.far

    def _of_children(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for child in context.of(NodeKind.COMMAND):
            keeper = child.attributes.get(semconv.COMMAND_PIPE_KEPT_BY)
            waiter = graph.oldest_waiter(child.id) if isinstance(keeper, str) else None
            if waiter is None or waiter not in graph.settled or waiter in graph.bounded or waiter in context.explained:
                continue
            since_ns = max(context.number(child, semconv.IO_UNMOVED_SINCE) or 0, graph.wait_of(waiter).since_ns)
            if context.now_ns - since_ns < self.slow:
                continue
            is_input = semconv.COMMAND_AWAITS_INPUT in child.attributes  # whoever has it may mean to write
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if context.now_ns - since_ns >= self.long and not is_input else Level.SLOW,
                since_ns=since_ns,
                core=[waiter, child.id],
                about=[child.id],
                tell=lambda child=child, waiter=waiter, keeper=keeper: self._tell(context, child, waiter, str(keeper)),
                explains=context.newly_behind({child.id, waiter}),
            )

    def _tell_pipe(self, context: RuleContext, pipe: Node, waiter: str, keeper: Node) -> Account:
        graph = context.graph
        title = (
            f"{wording.label(graph.nodes[waiter])} waits for more of {wording.label(pipe)} or for its end, but nobody "
            f"has it open to write but {wording.label(keeper)}, which {wording.doing(graph, keeper.id)}"
        )
        return one_wait.account(graph, waiter, pipe.id, title, self._of_a_fork, place(graph.nodes[waiter]))

    def _tell(self, context: RuleContext, child: Node, waiter: str, keeper: str) -> Account:
        graph = context.graph
        if semconv.COMMAND_AWAITS_INPUT in child.attributes:
            title = f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, child.id)}, which waits "
            title += f"for the end of its input, but {keeper} has inherited that pipe and keeps it open"
            return one_wait.account(graph, waiter, child.id, title, self._of_an_input, place(graph.nodes[waiter]))
        title = (
            f"{wording.label(graph.nodes[waiter])} waits for the end of what {wording.process(child)} prints, which "
            f"has ended itself, but {keeper} has the pipe too and keeps it open"
        )
        return one_wait.account(graph, waiter, child.id, title, self.advice, place(graph.nodes[waiter]))

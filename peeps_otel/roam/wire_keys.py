# SPDX-License-Identifier: Apache-2.0
"""Keys of metadata: those of the reference, of W3C trace context through the propagator, and one of our own."""

from __future__ import annotations

from typing import Final

NAME: Final = "name"
"""In a Hello: of the peer."""
CONNECTION_CORRELATION: Final = "peeps.connection_correlation_id"
"""In a Hello: the same on both sides of a link; the initiator's counts."""
CREDIT: Final = "peeps.channel_credit"
"""In a Hello, ours: `full` where credit is waited for, granted and enforced. The reference does none of the three."""
FULL: Final = "full"
METHOD_NAME: Final = "peeps.method_name"
"""In a request: a callee otherwise knows a number only."""
TASK_NAME: Final = "peeps.task_name"
CHAIN: Final = "peeps.chain_id"
SPAN: Final = "peeps.span_id"
PARENT_SPAN: Final = "peeps.parent_span_id"
REQUEST_ENTITY: Final = "peeps.request_entity_id"
TASK: Final = "peeps.task_id"
OF_ONE_CALL: Final = frozenset({METHOD_NAME, TASK_NAME, CHAIN, SPAN, PARENT_SPAN, REQUEST_ENTITY, TASK})
"""Of the request that carries them: a handler's own calls have others."""

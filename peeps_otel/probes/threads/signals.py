# SPDX-License-Identifier: Apache-2.0
"""Whether a signal may make this process do anything: then somebody outside may end what its family shares."""

from __future__ import annotations

import signal
from types import BuiltinFunctionType, FunctionType, MethodType

from ..internals.stdlib import attribute
from ..internals.thread import main_ident
from ..source.ownership import is_standard_library

_NO_CODE = (signal.Handlers, int, BuiltinFunctionType, type(None))


def handled_by(ident: int) -> bool:
    """Whether this is the thread in which handlers of signals run, and some signal has one that is not the standard
    library's."""
    if main_ident() != ident:
        return False
    return any(_is_code(signal.getsignal(number)) for number in signal.Signals)


def _is_code(handler: object) -> bool:
    if type(handler) is MethodType:
        handler = handler.__func__
    if type(handler) is FunctionType:
        return not is_standard_library(handler.__code__.co_filename)
    if type(handler) in _NO_CODE:
        return False
    # Something that can be called: asyncio's own for Ctrl+C is a `partial` of the standard library.
    function = attribute(attribute(handler, "func"), "__func__") or attribute(handler, "func")
    return type(function) is not FunctionType or not is_standard_library(function.__code__.co_filename)

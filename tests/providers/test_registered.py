# SPDX-License-Identifier: Apache-2.0
"""Who is asked, and for how long: registering keeps nothing of the program alive."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

import pytest

import peeps_otel
from peeps_otel.providers import RpcReport
from peeps_otel.providers.registered import living


class Transport:
    def report(self) -> RpcReport:
        return RpcReport()

    __call__ = report


def of_module() -> RpcReport:
    return RpcReport()


def names() -> list[str]:
    return [entry.name for entry in living()]


def test_a_method_is_asked_as_long_as_its_object_lives() -> None:
    transport = Transport()
    peeps_otel.register_provider("wire", "rpc", transport.report)
    gone = ref(transport)
    assert names() == ["wire"]
    del transport
    gc.collect()
    assert gone() is None
    assert names() == []


def _closure(transport: Transport) -> Callable[[], RpcReport]:
    return lambda: transport.report()


def _partial(transport: Transport) -> Callable[[], RpcReport]:
    return partial(Transport.report, transport)


def _itself(transport: Transport) -> Callable[[], RpcReport]:
    return transport


@pytest.mark.parametrize("of", [_closure, _partial, _itself])
def test_what_refers_to_things_around_it_is_asked_as_long_as_its_handle_lives(of: Callable[[Any], Any]) -> None:
    transport = Transport()
    gone = ref(transport)
    handle = peeps_otel.register_provider("wire", "rpc", of(transport))
    del transport
    gc.collect()
    assert names() == ["wire"]
    del handle
    gc.collect()
    assert gone() is None
    assert names() == []


def test_a_function_of_a_module_is_asked_until_its_handle_is_closed() -> None:
    number = peeps_otel.register_provider("wire", "rpc", of_module)
    with peeps_otel.register_provider("wire", "rpc", of_module) as other:
        assert (number.name, other.name, other.kind) == ("wire", "wire #2", "rpc")
        assert names() == ["wire", "wire #2"]
    assert names() == ["wire"]
    number.close()
    number.close()
    assert names() == []


def test_it_says_where_it_was_registered() -> None:
    line = sys._getframe().f_lineno + 1  # pyright: ignore[reportPrivateUsage]  # the line of this call; documented, with an underscore
    with peeps_otel.register_provider("wire", "rpc", of_module):
        assert [entry.source for entry in living()] == [f"{__file__}:{line}"]


@pytest.mark.parametrize(("name", "kind"), [("", "rpc"), ("wire", ""), (None, "rpc"), ("wire", 1)])
def test_name_and_kind_are_text(name: Any, kind: Any) -> None:
    with pytest.raises(ValueError, match="text"):
        peeps_otel.register_provider(name, kind, of_module)


def test_what_cannot_be_called_is_no_provider() -> None:
    with pytest.raises(TypeError, match="callable, int is not"):
        peeps_otel.register_provider("wire", "rpc", 3)  # pyright: ignore[reportArgumentType]  # a wrong argument on purpose

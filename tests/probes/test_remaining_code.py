# SPDX-License-Identifier: Apache-2.0
"""Who may come to call what: by the names in code that is still to run, of libraries that are there for the program."""

from __future__ import annotations

import asyncio.locks
import concurrent.futures.thread
import os
from types import CodeType, ModuleType
from typing import Any

from peeps_otel.probes.heap.libraries import Libraries
from peeps_otel.probes.heap.remaining_code import Place, RemainingCode

SITE = "/venv/lib/python3/site-packages"
APP = "/srv/app.py"
SET = frozenset({"set"})


def module(name: str, file: str, **fields: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(fields, __file__=file)
    return made


def function(source: str, file: str = APP) -> CodeType:
    """The code of the one function in `source`."""
    return next(one for one in compile(source, file, "exec").co_consts if type(one) is CodeType)


def library_of(name: str) -> str:
    return f"{SITE}/{name}/__init__.py"


def standard(file: str) -> bool:
    return file.startswith(os.path.dirname(os.__file__))


def remaining(*functions: CodeType, modules: dict[str, ModuleType] | None = None) -> RemainingCode:
    by_name: dict[str, list[CodeType]] = {}
    for code in functions:
        by_name.setdefault(code.co_name, []).append(code)
    libraries = Libraries({"__main__": module("__main__", APP)} | (modules or {}), by_name, standard)
    return RemainingCode(by_name, lambda file: not standard(file), libraries)


def test_who_calls_a_function_that_calls_a_method_of_that_name_may_end_the_wait() -> None:
    finish = function("def finish(event): event.set()")
    begin = function("def begin(event): finish(event)")
    assert remaining(finish, begin).may_call([Place(begin, -1)], SET) == "finish uses set"


def test_the_builtin_of_that_name_ends_no_wait() -> None:
    unique = function("def unique(rows): return set(rows)")
    begin = function("def begin(rows): unique(rows)")
    assert remaining(unique, begin).may_call([Place(begin, -1)], SET) == ""
    assert remaining(unique, begin).may_call([Place(unique, -1)], SET) == ""


def test_both_the_builtin_and_the_method_may_end_it() -> None:
    mixed = function("def mixed(rows, event): event.set(set(rows))")
    begin = function("def begin(rows): mixed(rows)")
    assert remaining(mixed, begin).may_call([Place(begin, -1)], SET) == "mixed uses set"


def test_what_the_waits_of_the_standard_library_call_is_not_looked_for_in_the_program() -> None:
    wait = function("async def wait(self): self._waiters.remove(1)", asyncio.locks.__file__)
    remove = function("def remove(self, event): event.set()")
    assert remaining(wait, remove).may_call([Place(wait, -1)], SET) == ""


def test_a_wait_of_the_standard_library_passes_on_no_more_than_it_was_given() -> None:
    source = "async def wait(self): await self._waiter; self.notify()"
    notify = frozenset({"notify"})
    own = function(source)
    assert remaining().may_call([Place(function(source, asyncio.locks.__file__), -1)], notify) == ""
    assert remaining().may_call([Place(own, -1)], notify) == "wait uses notify"


def test_a_method_of_the_program_that_such_a_wait_is_made_to_call_is() -> None:
    wait = function("async def get(self): self._get()", asyncio.locks.__file__)

    class Counted(asyncio.Queue[int]):
        def _get(self) -> int:
            return set_after(self)

    def set_after(queue: Any) -> int:
        queue.taken.set()
        return 0

    code = remaining(wait, vars(Counted)["_get"].__code__, set_after.__code__)
    assert code.may_call([Place(wait, -1)], SET).endswith("set_after uses set")


def test_a_method_of_that_name_of_a_class_that_is_no_queue_is_not() -> None:
    wait = function("async def get(self): self._get()", asyncio.locks.__file__)
    other = function("def _get(self): self.taken.set()")
    assert remaining(wait, other).may_call([Place(wait, -1)], SET) == ""


def instrumented(**of_the_program: Any) -> dict[str, ModuleType]:
    """aiohttp, loaded by its instrumentation, and whatever the program has in its variables."""
    aiohttp = module("aiohttp", library_of("aiohttp"))
    return {
        "aiohttp": aiohttp,
        "opentelemetry.instrumentation.aiohttp_client": module(
            "opentelemetry.instrumentation.aiohttp_client", f"{SITE}/opentelemetry/instrumentation.py", aiohttp=aiohttp
        ),
        "app": module("app", APP, **dict.fromkeys(of_the_program, aiohttp)),
    }


def test_a_library_that_is_loaded_for_its_instrumentation_alone_calls_nothing() -> None:
    finish = function("def finish(event): event.set()", library_of("aiohttp"))
    begin = function("def begin(x): x.finish()")
    place = Place(begin, -1)
    assert remaining(finish, begin, modules=instrumented()).may_call([place], SET) == ""
    assert remaining(finish, begin, modules=instrumented(http=True)).may_call([place], SET) == "finish uses set"


def test_a_library_that_a_function_imports_when_it_runs_is_there_for_the_program() -> None:
    finish = function("def finish(event): event.set()", library_of("aiohttp"))
    begin = function("def begin(x): x.finish()")
    lazy = function("def lazy():\n import aiohttp\n return aiohttp")
    named = function("def named(): return load('aiohttp:Client')")
    for one in (lazy, named):
        assert remaining(finish, begin, one, modules=instrumented()).may_call([Place(begin, -1)], SET)


def test_a_library_uses_no_variable_of_a_module_that_it_does_not_know() -> None:
    stranger = function("def keys(x): return x.server.set()", library_of("urllib3"))
    own = function("def stop(): server.done.set()")
    urllib3 = module("urllib3", library_of("urllib3"))
    modules = {"urllib3": urllib3, "app": module("app", APP, urllib3=urllib3)}
    assert remaining(stranger, modules=modules).any_user("app.server", SET) == ""
    assert remaining(stranger, own, modules=modules).any_user("app.server", SET) == "stop uses set"
    assert remaining(stranger, modules=modules).any_user("urllib3.server", SET) == "keys uses set"


def test_code_that_was_written_to_end_a_wait_names_the_thing_and_the_method() -> None:
    sets = function("def on_stop(self): self.stop.set()")
    within = function("def install(stop):\n  def handler(*_): stop.set()\n  return handler")
    other = function("def on_ready(self): self.ready.set()")
    builtin = function("def names(stop): return set(stop)")
    assert remaining(sets).names_both("stop", SET, but=set())
    assert remaining(within).names_both("stop", SET, but=set())
    assert not remaining(other, builtin).names_both("stop", SET, but=set())
    assert not remaining(sets).names_both("stop", SET, but={id(sets)})


def test_a_library_does_not_mean_a_variable_of_the_program_by_a_name_of_its_own() -> None:
    serve = function("def serve(call): call.done; call.set()", library_of("rpc"))
    own = function("def serve(call): done; call.set()")
    rpc = {"rpc": module("rpc", library_of("rpc"))}
    assert remaining(modules=rpc).may_call([Place(serve, -1)], SET, "__main__.done") == ""
    assert remaining(modules=rpc).may_call([Place(serve, -1)], SET, "rpc.done") == "serve uses set"
    assert remaining(modules=rpc).may_call([Place(own, -1)], SET, "__main__.done") == "serve uses set"


def test_a_library_that_was_called_by_who_uses_the_variable_may_have_been_given_it() -> None:
    serve = function("def serve(call): call.set()", library_of("rpc"))
    rpc = {"rpc": module("rpc", library_of("rpc"))}
    gives = function("def gives(): serve(done)")
    beside = function("def beside(): other(); serve()")
    other = function("def other(): done")
    assert remaining(serve, modules=rpc).may_call([Place(gives, -1)], SET, "__main__.done") == "serve uses set"
    assert remaining(serve, other, modules=rpc).may_call([Place(beside, -1)], SET, "__main__.done") == ""


def test_a_function_of_the_program_may_have_it_from_another() -> None:
    finish = function("def finish(event): event.set()")
    current = function("def current(): return done")
    begin = function("def begin(): finish(current())")
    assert remaining(finish, current).may_call([Place(begin, -1)], SET, "__main__.done") == "finish uses set"


def test_the_end_of_a_block_is_followed_further_than_any_other_function() -> None:
    chain = [function(f"def step_{number}(self): self.step_{number + 1}()") for number in range(5)]
    wake = function("def step_5(self): self.waiter.set()")
    leave = function("async def __aexit__(self, *_): self.step_0()")
    call = function("def call(self): self.step_0()")
    code = remaining(*chain, wake, leave, call)
    assert code.may_call([Place(leave, -1)], SET) == "step_5 uses set"
    assert code.may_call([Place(call, -1)], SET) == ""


def test_a_worker_of_an_executor_ends_no_wait_but_those_for_what_it_runs() -> None:
    fields = vars(concurrent.futures.thread)
    worker, item = fields["_worker"].__code__, fields["_WorkItem"].run.__code__
    run = function("def run(queue, event): queue.put(event.set())")
    code = RemainingCode(
        {"run": [run, item]}, lambda _file: True, Libraries({"__main__": module("__main__", APP)}, {}, standard)
    )
    assert code.may_call([Place(worker, -1)], frozenset({"put", "put_nowait"})) == ""
    assert code.may_call([Place(worker, -1)], SET) == ""
    assert code.may_call([Place(worker, -1)], frozenset({"set_result"})) == "_WorkItem.run uses set_result"
    assert code.may_call([Place(run, -1)], SET) == "run uses set"


def test_a_thread_of_the_standard_library_ends_waits_by_the_methods_beside_its_loop() -> None:
    """Not by those of a module in which everybody waits, nor of another file of it."""
    library = os.path.dirname(os.__file__)
    handlers, others = f"{library}/logging/handlers.py", f"{library}/shelve.py"
    take = "def dequeue(self): return self.queue.get()"
    loop = "def monitor(self): self.dequeue()"
    get = frozenset({"get"})
    found = {
        (file, beside): remaining(function(take, beside), function(loop, file)).may_call(
            [Place(function(loop, file), -1)], get
        )
        for file, beside in ((handlers, handlers), (handlers, others), (f"{library}/threading.py",) * 2)
    }
    assert found == {
        (handlers, handlers): "dequeue uses get",
        (handlers, others): "",
        (f"{library}/threading.py",) * 2: "",
    }

# SPDX-License-Identifier: Apache-2.0
"""The rules of the house: who may import whom, who may rely on private names, who may change the program.

An exception has a line in a table with its reason. One that is no longer needed fails too, so the tables stay true.
"""

from __future__ import annotations

from collections.abc import Container
from graphlib import TopologicalSorter

from peeps_otel.probes.internals import versions
from tests.source_facts import PACKAGES, sources

# Who may import what of ours, by the first two parts of the name. Beside it everybody may have the version.
_MODEL = {"peeps_otel.semconv", "peeps_otel.model"}
_DIAGNOSIS = _MODEL | {"peeps_otel.diagnosis"}
_REPORT = _DIAGNOSIS | {"peeps_otel.report"}
_DUMP = _REPORT | {"peeps_otel.dump"}
_NATIVE = {"peeps_otel.native", "peeps_otel.own_log"}
_PROBES = _MODEL | _NATIVE | {"peeps_otel.probes"}
_REQUESTS = _PROBES | {"peeps_otel.requests"}
_WATCHER = _DIAGNOSIS | _PROBES | {"peeps_otel.watcher"}
_EXPORT = _WATCHER | _REQUESTS | {"peeps_otel.export"}
_LOOKING = _WATCHER | {"peeps_otel.config", "peeps_otel.looking"}
_LOCAL = (
    _LOOKING
    | _DUMP
    | {"peeps_otel.local", "peeps_otel.interpreter_internals", "peeps_otel.config", "peeps_otel.watched_process"}
    | {"peeps_otel.watchdog"}  # beside the program, for a SIGTERM when no Python of it can run
)
_AGENT = (
    _EXPORT
    | _LOCAL
    | {"peeps_otel.providers"}
    | {"peeps_otel.watchdog", "peeps_otel.config", "peeps_otel.parts", "peeps_otel.agent"}
)
_DOORS = _AGENT | {"peeps_otel.interpreter_internals"}
MAY_IMPORT: dict[str, set[str]] = {
    "peeps_otel.version": set(),
    "peeps_otel.semconv": set(),
    "peeps_otel.config": {"peeps_otel.config_values", "peeps_otel.diagnosis.rules.settings"},
    "peeps_otel.config_values": {"peeps_otel.diagnosis.rules.settings"},  # PEEPS_RULES is read as the rules want it
    "peeps_otel.interpreter_internals": set(),
    "peeps_otel.native": {"peeps_otel.probes.internals"},  # whether gevent or eventlet have replaced what it needs
    "peeps_otel.own_log": {"peeps_otel.native", "peeps_otel.model.change"},
    "peeps_otel.model": _MODEL,
    "peeps_otel.diagnosis": _DIAGNOSIS,
    "peeps_otel.report": _REPORT,
    "peeps_otel.dump": _DUMP,
    "peeps_otel.probes": _PROBES,
    "peeps_otel.requests": _REQUESTS,
    "peeps_otel.watcher": _WATCHER,
    "peeps_otel.watchdog": _PROBES | {"peeps_otel.watchdog"},
    "peeps_otel.looking": _LOOKING,
    "peeps_otel.watched_process": _LOOKING,
    "peeps_otel.local": _LOCAL,
    "peeps_otel.attach": _LOCAL | {"peeps_otel.attach"},
    "peeps_otel.run": {"peeps_otel.run", "peeps_otel.local"},
    "peeps_otel.pytest_plugin": _LOCAL | {"peeps_otel.pytest_plugin"},
    "peeps_otel.export": _EXPORT,
    "peeps_otel.providers": _REQUESTS | {"peeps_otel.providers"},
    "peeps_otel.roam": {"peeps_otel.providers"},  # a transport that reports of itself as anybody's would
    "peeps_otel.sdk_setup": _EXPORT,
    "peeps_otel.parts": _AGENT - {"peeps_otel.agent"},
    "peeps_otel.agent": _DOORS,
    "peeps_otel.instrumentor": _DOORS,
    "peeps_otel.what_we_touch": _PROBES | {"peeps_otel"},  # walks through the package, which says where it is
    "peeps_otel": _DOORS | {"peeps_otel.sdk_setup", "peeps_otel.local"},
    "peeps_otel_distro": {"peeps_otel", "peeps_otel_distro"},
    "peeps_collector": _DUMP | {"peeps_collector", "peeps_otel.attach"},
    "peeps_dashboard": {"peeps_dashboard"},
    "peeps_otel_native": {"peeps_otel_native"},  # and nobody imports it: `probes/heap/native_reader.py` looks for it
}

# Private names of others are relied on in `probes/internals/`, where their versions are checked; those of the functions
# that are rewritten also in `probes/patches/`. Here is what else has some, and why.
_OTEL = "OpenTelemetry keeps its logs API and its exporters in modules whose names begin so"
_GIL = "asked with a default, so that it may be missing"
PRIVATE_NAMES: dict[str, tuple[set[str], str]] = {
    "peeps_collector/decode/columns/compiler.py": (
        {"_nrt"},
        "Numba's option to count no references; of a Numba without it spans are decoded the ordinary way",
    ),
    "peeps_otel/attach/target.py": (
        {"_PyRuntime", "_Py_MergeZeroLocalRefcount", "_Py_NegativeRefcount"},
        "symbols of the interpreter that is attached to, looked up in its file",
    ),
    "peeps_otel/export/collector_exporters.py": ({"_logs"}, _OTEL),
    "peeps_otel/export/otel_names.py": ({"_logs"}, _OTEL),
    "peeps_otel/export/otlp_grpc.py": (
        {"_initialize_channel_and_stub", "_log_exporter"},
        "the exporter makes its channel in a method of its own, and an interceptor goes in there",
    ),
    "peeps_otel/export/otlp_http.py": ({"_log_exporter"}, _OTEL),
    "peeps_otel/interpreter_internals.py": (
        {"_interpreters", "_is_gil_enabled", "_xxsubinterpreters"},
        "asked before anything of the probes may be loaded",
    ),
    "peeps_otel/probes/heap/leaks.py": ({"_is_gil_enabled"}, _GIL),
    "peeps_otel/pytest_plugin/rewriting.py": ({"_must_rewrite"}, "asked with a default: it only saves time"),
    "peeps_otel/requests/live_spans.py": (
        {"_context", "_kind"},
        "for each span; where a span does not have them its properties are asked",
    ),
    "peeps_otel/requests/sampler.py": (
        {"_tracers"},
        "tracers that were made before have the sampler each for itself; asked with a default",
    ),
    "peeps_otel/watchdog/guard.py": ({"_is_gil_enabled"}, _GIL),
    "peeps_otel/watchdog/stacks.py": (
        {"_recv", "_try_wait", "_wait_for_tstate_lock", "_worker"},
        "only compared with names in a dump of stacks: a wrong one costs a word of the sentence",
    ),
    "peeps_otel_distro/distro.py": ({"_configuration", "_OTelSDKConfigurator"}, _OTEL),
}

# Nobody outside `probes/` asks `internals/` itself: `probes/runtime.py` is the door. Here is who goes past it, and why.
INTERNALS = "peeps_otel.probes.internals"
PAST_THE_DOOR: dict[str, tuple[set[str], str]] = {
    "peeps_otel/native.py": ({"green_threads"}, "`internals/` itself is built on it"),
    "peeps_otel/providers/registered.py": ({"asyncio_core"}, "sees things, as a probe does, of what the program tells"),
    "peeps_otel/providers/database_nodes.py": ({"end_names"}, "a session is one end of a connection, by its name"),
    "peeps_otel/providers/postgresql.py": ({"end_names"}, "whose the session is, by the address of its socket"),
    "peeps_otel/providers/postgresql_titles.py": ({"end_names"}, "whose the session is, by the address of its socket"),
    "peeps_otel/providers/shared_memory.py": ({"sharing"}, "sees things, as a probe does, of what the program tells"),
    "peeps_otel/requests/live_spans.py": ({"asyncio_core"}, "once for each span, so by the fastest way there is"),
}

# What is changed for the whole process is changed in `probes/patches/`. Here is what else does so, and why.
_OWN_PROCESS = "a process of our own"
CHANGES: dict[str, tuple[set[str], str]] = {
    "peeps_otel/attach/as_the_process.py": (
        {"builtins.open", "os.getppid", "setattr"},
        "in the copy, which is not the process that it is asked about",
    ),
    "peeps_otel/attach/in_copy.py": ({"warnings.simplefilter"}, "in the copy, which looks and ends"),
    "peeps_otel/probes/internals/suspended_at.py": (
        {"sys.set_asyncgen_hooks"},
        "of this thread, put back at once: an async generator of ours is not for its loop to close",
    ),
    "peeps_otel/agent.py": ({"atexit.unregister"}, "its end"),
    "peeps_otel/watched_process.py": ({"os.register_at_fork", "atexit.register"}, "its beginning"),
    "peeps_otel/local/reported_process.py": ({"atexit.unregister"}, "its end"),
    "peeps_otel/local/dump_signal.py": (
        {"faulthandler.register", "faulthandler.unregister", "os.set_blocking"},
        "a pipe of ours, and signals that the program does not handle, where somebody has asked for it",
    ),
    "peeps_otel/local/exit_signal.py": (
        {"faulthandler.register", "faulthandler.unregister", "os.register_at_fork", "signal.pthread_sigmask"},
        "a socket of ours, and SIGTERM where the program does not handle it, where somebody has asked for it",
    ),
    "peeps_otel/local/run_channel.py": ({"os.set_inheritable"}, "a socket of ours"),
    "peeps_otel/run/start/sitecustomize.py": (
        {"sys.modules['peeps_otel']", "sys.modules['sitecustomize']", "sys.path[:]"},
        "it has come by the path, in the place of another, and takes itself away again",
    ),
    "peeps_otel/run/parent.py": ({"signal.signal", "signal.pthread_sigmask"}, _OWN_PROCESS),
    "peeps_otel/probes/heap/fork.py": (
        {"gc.disable", "gc.enable", "signal.pthread_sigmask", "sys.setswitchinterval"},
        "for the moment of a fork, and as before after it",
    ),
    "peeps_otel/probes/internals/current_frames.py": (
        {"gc.enable"},
        "on 3.11 collections are off for the moment in which the frames are asked for",
    ),
    "peeps_otel/probes/heap/leaks.py": ({"gc.disable", "gc.enable"}, "in the copy, or for one check"),
    "peeps_otel/probes/heap/question.py": ({"gc.unfreeze"}, "in the copy"),
    "peeps_otel/pytest_plugin/time_limit.py": (
        {"signal.signal"},
        "a real-time signal that nobody uses, while a test runs that has a limit of ours",
    ),
    "peeps_otel/watchdog/guard.py": (
        {"faulthandler.register", "faulthandler.unregister", "signal.pthread_sigmask"},
        "a real-time signal that nobody uses, on a thread of our own",
    ),
    "peeps_otel/watchdog/exit_guard.py": ({"os.chdir", "signal.signal", "signal.pthread_sigmask"}, _OWN_PROCESS),
    "peeps_otel/watchdog/sidecar.py": (
        {"os.chdir", "signal.alarm", "signal.signal", "signal.pthread_sigmask"},
        _OWN_PROCESS,
    ),
}

# Names of events and attributes are written once, in `semconv.py`. Here is what writes some by hand, and why.
WRITTEN_NAMES: dict[str, tuple[set[str], str]] = {
    "peeps_otel/watchdog/report.py": (
        {"peeps.silent.since", "peeps.silent.until"},
        "runs without the package, in a process that must be small",
    ),
    "peeps_collector/config.py": ({"peeps.duckdb"}, "the name of a file"),
    "peeps_otel/roam/wire_keys.py": (
        {
            "peeps.chain_id",
            "peeps.channel_credit",
            "peeps.connection_correlation_id",
            "peeps.method_name",
            "peeps.parent_span_id",
            "peeps.request_entity_id",
            "peeps.span_id",
            "peeps.task_id",
            "peeps.task_name",
        },
        "keys on Roam's wire, no attributes of ours",
    ),
    "peeps_dashboard/view/details.py": (
        {"peeps.node.id", "peeps.created_at", "peeps.source", "peeps.task.steps"},
        "the explorer knows the API alone, and shows these names",
    ),
}
_NO_FILES = {"", "peeps_otel_native"}  # its module in C has none of Python, so the package itself is found for it
_RUNS_IN_THE_PROGRAM = ("peeps_otel", "peeps_otel_distro")


def test_dependencies_point_down() -> None:
    wrong: list[str] = []
    for package in PACKAGES:
        for source in sources(package):
            parts = source.name.removesuffix(".py").removesuffix("/__init__").split("/")
            here = ".".join(parts[:2]) if package == "peeps_otel" else package
            wrong.extend(
                f"{source.name} imports {imported}"
                for imported in source.imports
                if imported.partition(".")[0] in PACKAGES and not _allowed(imported, MAY_IMPORT[here] | {here})
            )
    assert wrong == []


def test_internals_are_asked_by_the_door() -> None:
    found: dict[str, set[str]] = {}
    for source in (one for package in PACKAGES for one in sources(package)):
        asked = {one.removeprefix(f"{INTERNALS}.").partition(".")[0] for one in source.imports if INTERNALS in one}
        if asked and not source.name.startswith("peeps_otel/probes/"):
            found[source.name] = asked
    assert found == {name: modules for name, (modules, _) in PAST_THE_DOOR.items()}


def _allowed(imported: str, allowed: set[str]) -> bool:
    if imported in ("peeps_otel.version.__version__", "peeps_otel.__version__"):
        return True
    return any(imported == one or imported.startswith(f"{one}.") for one in allowed if one != "peeps_otel") or (
        "peeps_otel" in allowed and imported.partition(".")[0] == "peeps_otel"
    )


def test_no_file_needs_itself() -> None:
    """Not for its types either: who reads a circle can begin nowhere."""
    files = {_module(source.name): source for package in PACKAGES for source in sources(package)}
    order = TopologicalSorter(
        {
            module: {_found(imported, files) for imported in source.imports} - _NO_FILES
            for module, source in files.items()
        }
    )
    order.prepare()


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _found(imported: str, files: Container[str]) -> str:
    """The module of ours that has the name; empty for others'."""
    if imported in files or not imported:
        return imported
    return _found(imported.rpartition(".")[0], files)


def test_everything_has_its_layer() -> None:
    names = {f"peeps_otel.{path.stem}" for path in PACKAGES["peeps_otel"].iterdir() if path.suffix in (".py", "")}
    names = {name for name in names if not name.rpartition(".")[2].startswith("__")}
    assert names | set(PACKAGES) == set(MAY_IMPORT)


def test_private_names_are_relied_on_in_internals() -> None:
    found = {
        source.name: source.private_names
        for package in PACKAGES
        for source in sources(package)
        if source.private_names and not _may_rely_on_private_names(source.name)
    }
    assert found == {name: names for name, (names, _) in PRIVATE_NAMES.items()}


def _may_rely_on_private_names(name: str) -> bool:
    """In `internals/` and `patches/`, and the folder of a library on that library's, whose versions the table has."""
    folders = name.split("/")[:-1]
    of_library = folders[:2] == ["peeps_otel", "probes"] and folders[-1] in {one.lower() for one in versions.TABLE}
    return of_library or folders[:3] in (["peeps_otel", "probes", "internals"], ["peeps_otel", "probes", "patches"])


def test_the_process_is_changed_by_patches() -> None:
    found = {
        source.name: source.changes
        for package in _RUNS_IN_THE_PROGRAM
        for source in sources(package)
        if source.changes and "/probes/patches/" not in source.name
    }
    assert found == {name: changes for name, (changes, _) in CHANGES.items()}


def test_patches_are_seen() -> None:
    """The rule sees what it is to forbid elsewhere."""
    patches = {
        source.name.rpartition("/")[2]: source.changes
        for source in sources("peeps_otel")
        if "/probes/patches/" in source.name and source.changes
    }
    assert any("__code__" in changes for changes in patches.values()), patches


def test_names_are_written_in_semconv() -> None:
    found = {
        source.name: source.written_names
        for package in PACKAGES
        for source in sources(package)
        if source.written_names and source.name != "peeps_otel/semconv.py"
    }
    assert found == {name: names for name, (names, _) in WRITTEN_NAMES.items()}

# SPDX-License-Identifier: Apache-2.0
"""The first lines that run in the copy: they fetch the rest from us. Nothing in them may need a module of the program,
or run code of it: its import hooks, tracers and finders are put aside first, and that its loop closes async generators
(it would be given tasks in the copy, where it never runs them)."""

from __future__ import annotations

_LINES = """
import sys
sys.settrace(None)
sys.setprofile(None)
sys.set_asyncgen_hooks(None, None)
import time
import posix
if time.monotonic() < {deadline!r}:
    posix.closerange(0, 4096)
    import _imp
    import _frozen_importlib
    # Locks of imports may be in the hands of threads that are not here, and modules half imported.
    _imp.acquire_lock = _imp.release_lock = lambda: None
    _frozen_importlib._module_locks = {{}}
    _frozen_importlib._blocking_on = {{}}
    for name, module in list(sys.modules.items()):
        spec = module.__dict__.get("__spec__") if type(module) is type(sys) else None
        if name.partition(".")[0] in sys.stdlib_module_names and getattr(spec, "_initializing", False):
            del sys.modules[name]
    import _frozen_importlib_external as external
    import zipimport
    sys.meta_path[:] = [_frozen_importlib.BuiltinImporter, _frozen_importlib.FrozenImporter, external.PathFinder]
    sys.path_hooks[:] = [
        zipimport.zipimporter, external.FileFinder.path_hook(*external._get_supported_file_loaders())
    ]
    sys.path_importer_cache.clear()
    import os
    library = os.path.dirname(os.__file__)
    roots = (library, *(one for one in (sys.base_prefix, sys.base_exec_prefix) if one))
    paths = [library, os.path.join(library, "lib-dynload"), *(one for one in sys.path if type(one) is str)]
    # The standard library first; the rest has the versions of what is installed.
    sys.path[:] = sorted(dict.fromkeys(paths), key=lambda one: not one.startswith(roots) or "-packages" in one)
    for name in [name for name in sys.modules if name.partition(".")[0] == "peeps_otel"]:
        del sys.modules[name]
    import resource
    import _socket
    import marshal
    first = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    number = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 20) - 1
    posix.dup2(first.fileno(), number)
    first.close()
    connection = _socket.socket(fileno=number)
    connection.connect({address!r})
    def read(size):
        found = []
        while size:
            part = connection.recv(min(size, 1 << 20))
            if not part:
                posix._exit(1)
            found.append(part)
            size -= len(part)
        return b"".join(found)
    if read({secret_size}) == {secret!r}:
        request = marshal.loads(read(int.from_bytes(read(8), "little")))
        space = {{"__name__": "__peeps__"}}
        exec(compile(request["loader"], "<peeps>", "exec"), space)
        answer = space["run"](request, sys._getframe(1).f_back)
        connection.sendall(len(answer).to_bytes(8, "little") + answer)
posix._exit(0)
"""

LOADER = '''
import sys
from _frozen_importlib import ModuleSpec
import marshal


class Carried:
    """Finds and loads the modules that came with the request."""

    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        found = self.modules.get(name)
        if found is None:
            return None
        spec = ModuleSpec(name, self, origin=found[1], is_package=found[0])
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        _, file, source, code = self.modules[module.__name__]
        exec(marshal.loads(code) if code else compile(source, file, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name):
        return self.modules[name][2].decode()


def run(request, frame):
    try:
        import os

        inner = request["inner_pid"]
        os.getpid = lambda: inner  # what is asked of the system is asked of the process, which we are not
        sys.meta_path.insert(0, Carried(request["modules"]))
        threading = sys.modules.get("threading")
        if threading is not None:  # else modules of the standard library cannot be imported in a program that ends
            threading._register_atexit = lambda *_, **__: None
        from peeps_otel.attach import in_copy

        return in_copy.run(request, frame)
    except BaseException as error:
        import traceback

        return marshal.dumps({"error": "".join(traceback.format_exception(error))}, 2)
'''


def code(address: str | bytes, secret: bytes, deadline_s: float) -> bytes:
    """To be run by `PyRun_SimpleString`. `address`: of a Unix socket, as the process knows it; `secret`: by which the
    copy knows us. After `deadline_s` on the monotonic clock it does nothing."""
    lines = _LINES.format(deadline=deadline_s, address=address, secret=secret, secret_size=len(secret))
    return (
        f"try: __import__('builtins').exec({lines!r}, {{'__name__': '__peeps__'}})\n"
        "except BaseException: pass\n"
        "finally: __import__('posix')._exit(1)\n"
    ).encode()

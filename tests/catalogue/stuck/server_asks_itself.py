# SPDX-License-Identifier: Apache-2.0
"""A function of an XML-RPC server calls that server, whose only thread it is in."""

from __future__ import annotations

import threading
from xmlrpc.client import ServerProxy
from xmlrpc.server import SimpleXMLRPCServer


def main() -> None:
    server = SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
    url = f"http://127.0.0.1:{server.server_address[1]}"

    def health() -> str:
        return str(ServerProxy(url).status())  # <- asks itself

    server.register_function(lambda: "ok", "status")
    server.register_function(health)
    threading.Thread(target=lambda: ServerProxy(url).health(), name="probe", daemon=True).start()
    server.serve_forever()


main()

# SPDX-License-Identifier: Apache-2.0
"""The main thread has ended; a server in a thread that is no daemon listens, and nobody calls."""

import socketserver
import threading

server = socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler)
threading.Thread(target=server.serve_forever, name="server").start()

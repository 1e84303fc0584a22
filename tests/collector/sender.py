# SPDX-License-Identifier: Apache-2.0
"""Sends spans on several connections and notes which were acknowledged: `sender.py HOST:PORT FILE FIRST`.

A line a request that was answered 200: its number. Each request is ten spans named `NUMBER-0` to `NUMBER-9`. Ends when
the collector does, or when standard input is closed.
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
from itertools import count

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS = 10


def body_of(number: int) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for place in range(SPANS):
        scope.spans.add(name=f"{number}-{place}", start_time_unix_nano=1, end_time_unix_nano=2)
    return request.SerializeToString()


def main(address: str, path: str, first: int) -> None:
    host, _, port = address.partition(":")
    numbers = count(first)
    lock = threading.Lock()
    with open(path, "a", buffering=1) as noted:

        def send() -> None:
            connection = http.client.HTTPConnection(host, int(port), timeout=20)
            while True:
                with lock:
                    number = next(numbers)
                try:
                    headers = {"content-type": "application/x-protobuf"}
                    connection.request("POST", "/v1/traces", body_of(number), headers)
                    response = connection.getresponse()
                    response.read()
                except (OSError, http.client.HTTPException):
                    return
                if response.status == 200:
                    noted.write(f"{number}\n")
                else:
                    time.sleep(0.01)

        threads = [threading.Thread(target=send, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

# SPDX-License-Identifier: Apache-2.0
"""Two services and a row that both want: `database_locks.py ROLE DATABASE PORT`.

ROLE: `booking`, changes the row and asks the other one before it commits; `importer`, changes the row before it
answers. No instrumentation sees any of it.
"""

from __future__ import annotations

import socket
import sys
import time

import psycopg

import peeps_otel
from peeps_otel.providers.postgresql import PostgresLocks

UPDATE = "UPDATE accounts SET balance = balance + 1 WHERE id = 1"


def booking(database: str, port: int) -> None:
    with psycopg.connect(database, application_name="booking") as connection:
        connection.execute(UPDATE)
        while True:
            try:
                asked = socket.create_connection(("127.0.0.1", port))
                break
            except OSError:
                time.sleep(0.05)
        asked.sendall(b"?")
        asked.recv(1)
        connection.commit()


def importer(database: str, port: int) -> None:
    locks = PostgresLocks(lambda: psycopg.connect(database))
    with socket.create_server(("127.0.0.1", port)) as server:
        connection, _ = server.accept()
        connection.recv(1)
        with psycopg.connect(database, application_name="importer") as session:
            session.execute(UPDATE)
        connection.sendall(b"!")
    locks.close()


def main() -> None:
    role, database, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    peeps_otel.init(role)
    (booking if role == "booking" else importer)(database, port)


if __name__ == "__main__":
    main()

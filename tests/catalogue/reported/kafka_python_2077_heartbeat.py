# SPDX-License-Identifier: Apache-2.0
"""dpkp/kafka-python#2077: the heartbeat thread and the polling thread take coordinator and client lock crosswise.

The heartbeat holds the coordinator's lock and polls the client; the poll holds the client's lock and, on a failed
request, tells the coordinator.
"""

import threading
import time


class Consumer:
    def __init__(self) -> None:
        self.client_lock = threading.RLock()
        self.coordinator_lock = threading.Condition(threading.RLock())

    def heartbeat(self) -> None:
        with self.coordinator_lock:  # <- heartbeat takes coordinator
            time.sleep(0.1)
            with self.client_lock:  # <- heartbeat waits for client
                print("heartbeat sent")

    def poll(self) -> None:
        with self.client_lock:  # <- poll takes client
            time.sleep(0.1)
            self.coordinator_dead()

    def coordinator_dead(self) -> None:
        with self.coordinator_lock:  # <- poll waits for coordinator
            print("coordinator is dead")


consumer = Consumer()
threading.Thread(target=consumer.heartbeat, name="heartbeat", daemon=True).start()
consumer.poll()

# SPDX-License-Identifier: Apache-2.0
"""What the OTLP specification (1.x) obliges a receiver to, and nothing that only ours does.

Against ours: `pytest tests/otlp_conformance`. Against any other: `OTLP_HTTP=127.0.0.1:4318 OTLP_GRPC=127.0.0.1:4317
pytest tests/otlp_conformance`; `OTLP_LIMIT_BYTES`: how large a request of it may be, where that is to be tested.
"""

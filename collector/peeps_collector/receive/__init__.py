# SPDX-License-Identifier: Apache-2.0
"""OTLP over gRPC and HTTP: bytes in, bytes out, nothing of the graph."""

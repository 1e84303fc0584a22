# SPDX-License-Identifier: Apache-2.0
"""OTLP messages to rows, nodes, snapshots and findings. No I/O and no state but that of a snapshot stream."""

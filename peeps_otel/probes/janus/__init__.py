# SPDX-License-Identifier: Apache-2.0
"""Queues between threads and asyncio."""

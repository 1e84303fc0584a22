# SPDX-License-Identifier: Apache-2.0
"""aiohttp's client: its connector is a pool of connections, and its requests have timers of their own."""

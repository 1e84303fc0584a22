# SPDX-License-Identifier: Apache-2.0
"""Every private name of CPython, asyncio and AnyIO that is relied on, one module per area."""

# SPDX-License-Identifier: Apache-2.0
"""What is seen of AnyIO on its asyncio backend."""

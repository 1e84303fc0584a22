# SPDX-License-Identifier: Apache-2.0
"""What is seen of asyncio: tasks, their waits, and what they wait for and hold."""

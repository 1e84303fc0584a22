# SPDX-License-Identifier: Apache-2.0
"""A server of uvicorn that was told to stop, and the handlers it waits for."""

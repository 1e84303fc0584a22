# SPDX-License-Identifier: Apache-2.0
"""Threads: what each of them does, waits for and holds, read from outside while they run."""

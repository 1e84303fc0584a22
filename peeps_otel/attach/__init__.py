# SPDX-License-Identifier: Apache-2.0
"""The verdict of a process that never had us: a copy of it looks and leaves, and nothing stays behind."""

# SPDX-License-Identifier: Apache-2.0
"""The verdict of a process that never had us: it is made to fork, the copy looks and leaves, and nothing stays behind."""

# SPDX-License-Identifier: Apache-2.0
"""Findings and nodes in the words that people read: for the API, the commands, and a process that tells of itself."""

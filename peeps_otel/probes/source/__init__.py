# SPDX-License-Identifier: Apache-2.0
"""Whose code a line is, and what it says."""

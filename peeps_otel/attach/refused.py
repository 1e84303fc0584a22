# SPDX-License-Identifier: Apache-2.0
"""Why a process is left alone."""

from __future__ import annotations


class Refused(Exception):
    """The process is as it was; the message says why, and where there is one the command that mends it."""


class NotNow(Refused):
    """Not at this moment: a later attempt may find it otherwise."""

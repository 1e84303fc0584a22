# SPDX-License-Identifier: Apache-2.0
"""Tells other programs that something is stuck: a webhook, a command."""

# SPDX-License-Identifier: Apache-2.0
"""Calls between processes while they last: the unfinished spans of every instrumentation, as requests and responses."""

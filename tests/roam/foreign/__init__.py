# SPDX-License-Identifier: Apache-2.0
"""A Roam peer that was written from the specification alone, and imports nothing of ours. See `peer.py`."""

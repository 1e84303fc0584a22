# SPDX-License-Identifier: Apache-2.0
"""Which role a collector has."""

from __future__ import annotations

from ..config import Config
from ..role import Alone, Role
from ..store.database import Database


def role_of(config: Config, database: Database) -> Role:
    """By its settings. Raises LakeError, StoreError."""
    if config.lake is None:
        return Alone(database)
    from .shard import Shard  # needs the extra

    return Shard(config, config.lake, database)

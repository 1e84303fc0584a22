# SPDX-License-Identifier: Apache-2.0
"""Where the lake is. Secrets are not in here: PostgreSQL's and the object store's own variables have them, and every
process of ours that needs them inherits those."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

_NEEDED = ("psycopg", "duckdb_extension_ducklake", "duckdb_extension_postgres_scanner")


class LakeError(ValueError):
    """A setting of the lake that cannot be used, or a part that is not installed; says what to do."""


@dataclass(frozen=True, slots=True)
class LakeSettings:
    """`catalog`: a URL of PostgreSQL, without a password. `data`: a folder, or `s3://bucket/prefix`. `seconds`: between
    two commits of one collector. `hours`: of history. `most`: bytes that may wait for it on the disk of a collector."""

    catalog: str
    data: str
    seconds: float = 1.0
    hours: float = 168.0
    most: int = 10 << 30

    @property
    def is_s3(self) -> bool:
        return self.data.startswith("s3://")

    def text(self) -> str:
        """For a process of ours."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> LakeSettings:
        return cls(**json.loads(text))


def checked(settings: LakeSettings) -> LakeSettings:
    """Raises LakeError."""
    parts = urlsplit(settings.catalog)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise LakeError("PEEPS_LAKE is not a URL such as postgresql://peeps@db.example.org:5432/peeps")
    if parts.password:
        raise LakeError(
            "PEEPS_LAKE must be without a password, for statements can see it: PGPASSFILE or PGPASSWORD has it"
        )
    if not settings.data:
        raise LakeError("PEEPS_LAKE_DATA must say where the files of the lake are: a folder, or s3://bucket/prefix")
    if "://" in settings.data and not settings.is_s3:
        raise LakeError(f"PEEPS_LAKE_DATA={settings.data!r} is neither a folder nor s3://bucket/prefix")
    needed = (*_NEEDED, "duckdb_extension_httpfs") if settings.is_s3 else _NEEDED
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise LakeError(f"PEEPS_LAKE needs {missing[0]}, which is not installed: pip install 'peeps-collector[lake]'")
    return settings

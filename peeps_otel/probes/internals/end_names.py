# SPDX-License-Identifier: Apache-2.0
"""What the two ends of a connection or pipe on this host are called, so that another process knows them by the same
names. Asks Linux's kernel, changes nothing; None where it does not tell, and for a connection to another host.

A name says which kernel (boot id) and, of a TCP connection, which network namespace it is of: two containers may both
have a 127.0.0.1:8080.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import struct
from collections.abc import Collection, Iterable
from functools import cache
from typing import NamedTuple

from ...model.end_digest import end_digest
from . import versions
from .asyncio_io import joined
from .process_files import access_mode, family, link_of, links

CHECKED_ON = versions.on("CPython")

_FILES_MOST = 4096
_FAMILY_MOST = 40
_TABLE_MOST = 4_000_000  # bytes of the kernel's table of connections
_ESTABLISHED = b"01"
_NETLINK, _SOCK_DIAG, _BY_FAMILY = 16, 4, 20
_SHOW_PEER, _PEER = 4, 2
_ANSWER_S = 0.1
_HEAD, _FOUND = 16, 16  # bytes of a netlink header, and of the answer before its attributes


class EndNames(NamedTuple):
    """`here`: of the end that a descriptor is; `there`: of the other one. `link`: what the descriptor is, as `/proc`
    names it: another one if its number was given again."""

    here: str
    there: str
    link: str

    @property
    def is_pipe(self) -> bool:
        return self.link.startswith("pipe:")


def of_descriptors(descriptors: Iterable[int], anywhere: bool = False) -> dict[int, EndNames]:
    """Of those of this process that are pipes, Unix sockets or TCP connections within this host; `anywhere`: also
    to other hosts. Reads the kernel's table of connections at most once, which takes milliseconds where there are
    thousands."""
    found: dict[int, EndNames] = {}
    others: dict[str, int] = {}
    for fd in descriptors:
        link = link_of(fd)
        number = _inode(link)
        names = None
        if link.startswith("pipe:"):
            names = _of_pipe(fd, link)
        elif link.startswith("socket:") and number is not None:
            names = _of_unix(number, link)
            if names is None:
                others[link] = fd
        if names is not None:
            found[fd] = names
    found.update((others[link], names) for link, names in _tcp_connections(others, anywhere).items())
    return found


def of_other(link: str, written: bool) -> EndNames | None:
    """Of a pipe, by the end that is `written` to or the other one, or of a Unix socket, whatever process has it."""
    kernel, number = _kernel(), _inode(link)
    if link.startswith("pipe:") and kernel is not None:
        read, write = f"{kernel}/{link}/read", f"{kernel}/{link}/write"
        return EndNames(write, read, link) if written else EndNames(read, write, link)
    return _of_unix(number, link) if link.startswith("socket:") and number is not None else None


def own_addresses() -> dict[str, int]:
    """By local address, `host:port`: the descriptors of this process's TCP connections. Takes some milliseconds."""
    found: dict[str, int] = {}
    for fd, names in own_ends().values():
        local, separator, _ = names.here.partition("/tcp/")[2].partition(">")
        if separator:
            found[local] = fd
    return found


def of_addresses(local: str, peer: str) -> tuple[str, str] | None:
    """What the end of a TCP connection at `local` and the one at `peer`, each `host:port`, are called in this network
    namespace, whoever has them."""
    network = _network()
    return None if network is None else (f"{network}/tcp/{local}>{peer}", f"{network}/tcp/{peer}>{local}")


def of_client(client: str, port: int, server_port: int) -> str | None:
    """What `model.rpc_over` says of the end that a client within this host has, by what its server knows of it."""
    network = _network() if _is_loopback(client) else None
    return None if network is None else f"{network}/tcp/{joined(plain(client), port)}>{server_port}"


def of_connection(fd: int, local: str, peer: str, port: int) -> EndNames | None:
    """Of a TCP connection within this host whose addresses are known: `local` as `host:port`, and the peer's."""
    network, link = _network(), link_of(fd)
    if network is None or not link:
        return None
    own = joined(plain(host_of(local)), int(local.rpartition(":")[2]))
    other = joined(plain(peer), port)
    return EndNames(f"{network}/tcp/{own}>{other}", f"{network}/tcp/{other}>{own}", link)


def host_of(address: str) -> str:
    """`127.0.0.1` of `127.0.0.1:80`, `::1` of `[::1]:80`."""
    return address.rpartition(":")[0].strip("[]")


def own_ends() -> dict[str, tuple[int, EndNames]]:
    """By digest of its name: each end of this process, with its descriptor, also of connections to other hosts. Takes
    some milliseconds."""
    found: dict[str, tuple[int, EndNames]] = {}
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")[:_FILES_MOST]]
    except (OSError, ValueError):
        return found
    for fd, names in of_descriptors(descriptors, anywhere=True).items():
        found.setdefault(end_digest(names.here), (fd, names))
    return found


def also_open_in(names: EndNames) -> list[int]:
    """The other processes of the family that have it open: this one's parent, its siblings and its children. Sockets
    and pipes are handed on from parent to child; who got one in another way is not seen."""
    own, parent = os.getpid(), os.getppid()
    others = family([own, *([parent] if parent > 1 else [])], _FAMILY_MOST)
    return [pid for pid in others if pid != own and _has(pid, names)]


def _has(pid: int, names: EndNames) -> bool:
    return any(link == names.link and _is_that_end(pid, fd, names) for fd, link in links(pid, _FILES_MOST))


def _is_that_end(pid: int, fd: int, names: EndNames) -> bool:
    """Of a pipe, whose two ends have one link: whether it is open for the same."""
    if not names.is_pipe:
        return True
    return access_mode(pid, fd) != (os.O_WRONLY if names.here.endswith("/read") else os.O_RDONLY)


# --- names ------------------------------------------------------------------------------------------------------------


@cache
def _kernel() -> str | None:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read(64).strip().partition("-")[0] or None
    except OSError:
        return None


def _network() -> str | None:
    """Of this process now; a process may enter another one."""
    try:
        namespace = os.readlink("/proc/self/ns/net")
    except OSError:
        return None
    return None if _kernel() is None else f"{_kernel()}/{namespace}"


def _inode(link: str) -> int | None:
    number = link.partition("[")[2].rstrip("]")
    return int(number) if number.isdecimal() else None


def _of_pipe(fd: int, link: str) -> EndNames | None:
    kernel = _kernel()
    try:
        mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return None
    if kernel is None or mode not in (os.O_RDONLY, os.O_WRONLY):
        return None
    read, write = f"{kernel}/{link}/read", f"{kernel}/{link}/write"
    return EndNames(read, write, link) if mode == os.O_RDONLY else EndNames(write, read, link)


def _of_unix(number: int, link: str) -> EndNames | None:
    kernel, peer = _kernel(), _unix_peer(number)
    if kernel is None or not peer:
        return None
    return EndNames(f"{kernel}/unix/{number}", f"{kernel}/unix/{peer}", link)


def _unix_peer(number: int) -> int | None:
    """The inode at the other end of a Unix socket; 0 for one that is not connected, None for what is no such socket."""
    asks = struct.pack("=BBHIIIII", _socket.AF_UNIX, 0, 0, 0xFFFFFFFF, number, _SHOW_PEER, 0xFFFFFFFF, 0xFFFFFFFF)
    head = struct.pack("=IHHII", _HEAD + len(asks), _BY_FAMILY, 1, 1, 0)
    try:
        link = _socket.socket(_NETLINK, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC, _SOCK_DIAG)
    except OSError:
        return None
    try:
        link.settimeout(_ANSWER_S)
        link.send(head + asks)
        answer = link.recv(8192)
    except OSError:
        return None
    finally:
        link.close()
    if len(answer) < _HEAD + _FOUND or struct.unpack_from("=H", answer, 4)[0] != _BY_FAMILY:
        return None
    at = _HEAD + _FOUND
    while at + 4 <= len(answer):
        size, kind = struct.unpack_from("=HH", answer, at)
        if kind == _PEER and size >= 8:
            return struct.unpack_from("=I", answer, at + 4)[0]
        at += max(4, (size + 3) & ~3)
    return 0


def _tcp_connections(wanted: Collection[str], anywhere: bool) -> dict[str, EndNames]:
    """By link, of those wanted: the established connections; unless `anywhere`, with both ends on this host."""
    network = _network() if wanted else None
    found: dict[str, EndNames] = {}
    if network is None:
        return found
    inodes = {str(_inode(link)).encode(): link for link in wanted}
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        try:
            with open(table, "rb") as lines:
                rows = lines.read(_TABLE_MOST).splitlines()[1:]
        except OSError:
            continue
        for fields in map(bytes.split, rows):
            link = inodes.get(fields[9]) if len(fields) > 9 and fields[3] == _ESTABLISHED else None
            if link is None:
                continue
            (own, port), (other, peer_port) = address_of(fields[1]), address_of(fields[2])
            if anywhere or is_within(own, other):
                local, remote = joined(own, port), joined(other, peer_port)
                names = (f"{network}/tcp/{local}>{remote}", f"{network}/tcp/{remote}>{local}")
                found[link] = EndNames(*names, link)
    return found


def is_within(host: str, peer_host: str) -> bool:
    """Whether both ends of a connection are on this host: an address has itself for a peer there alone."""
    return plain(host) == plain(peer_host) or (_is_loopback(host) and _is_loopback(peer_host))


def plain(host: str) -> str:
    """An address of version 4 within version 6 as that."""
    return host.removeprefix("::ffff:")


def _is_loopback(host: str) -> bool:
    return plain(host).startswith("127.") or host == "::1"


def address_of(field: bytes) -> tuple[str, int]:
    """`0100007F:0050` as people write it: `127.0.0.1`, 80."""
    host, _, port = field.decode().partition(":")
    words = [int(host[at : at + 8], 16) for at in range(0, len(host), 8)]
    kind = _socket.AF_INET if len(words) == 1 else _socket.AF_INET6
    return plain(_socket.inet_ntop(kind, struct.pack(f"={len(words)}I", *words))), int(port, 16)

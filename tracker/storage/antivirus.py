"""Asks a clamd about a file, where the settings name one; the INSTREAM command, so that it needs no access to ours."""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from enum import StrEnum
from pathlib import Path

_CHUNK = 64 * 1024
_LONGEST_REPLY = 4096
_SECONDS = 60.0
_CONNECT_SECONDS = 3.0


class Scan(StrEnum):
    """What a virus scanner says of a file."""

    CLEAN = "clean"
    FOUND = "found"
    NOT_SCANNED = "not_scanned"


def scan(path: Path, address: str, *, seconds: float = _SECONDS) -> Scan:
    """Send the file to the clamd at `host:port` or at the path of its socket.

    NOT_SCANNED: there is no address, nobody answers in time, or the answer is an error (the file is too long for it).
    """
    if not address:
        return Scan.NOT_SCANNED
    try:
        with closing(_connect(address)) as connection:
            connection.settimeout(seconds)
            _send(connection, path)
            reply = _receive(connection)
    except (OSError, ValueError):
        return Scan.NOT_SCANNED
    if reply.endswith(b" FOUND"):
        return Scan.FOUND
    return Scan.CLEAN if reply.endswith(b": OK") else Scan.NOT_SCANNED


def _connect(address: str) -> socket.socket:
    if address.startswith("/"):
        return _connect_locally(address)
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS)


def _connect_locally(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_CONNECT_SECONDS)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: socket.socket, path: Path) -> None:
    connection.sendall(b"zINSTREAM\0")
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            connection.sendall(struct.pack(">L", len(chunk)) + chunk)
    connection.sendall(struct.pack(">L", 0))


def _receive(connection: socket.socket) -> bytes:
    """Return the reply up to its closing zero."""
    reply = b""
    while not reply.endswith(b"\0") and len(reply) < _LONGEST_REPLY:
        chunk = connection.recv(_LONGEST_REPLY)
        if not chunk:
            break
        reply += chunk
    return reply.rstrip(b"\0\n")

"""Asking a virus scanner that speaks clamd's INSTREAM."""

import socket
import socketserver
import struct
import threading
from contextlib import contextmanager

import pytest

from tracker.storage.antivirus import Scan, scan


class Clamd(socketserver.BaseRequestHandler):
    """Finds a virus wherever the word EICAR stands."""

    def handle(self):
        assert self._take(10) == b"zINSTREAM\0"
        content = b""
        while size := struct.unpack(">L", self._take(4))[0]:
            content += self._take(size)
        self.server.seen.append(content)
        self.request.sendall(self.server.reply or self._verdict(content))

    def _verdict(self, content):
        return b"stream: Eicar-Test-Signature FOUND\0" if b"EICAR" in content else b"stream: OK\0"

    def _take(self, size):
        taken = b""
        while len(taken) < size:
            taken += self.request.recv(size - len(taken))
        return taken


@contextmanager
def clamd(server_class=socketserver.TCPServer, address=("127.0.0.1", 0), reply=b""):
    with server_class(address, Clamd) as server:
        server.seen, server.reply = [], reply
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def address_of(server):
    return "{}:{}".format(*server.server_address)


@pytest.fixture
def minutes(tmp_path):
    path = tmp_path / "minutes"
    path.write_bytes(b"minutes of a meeting" * 10_000)
    return path


@pytest.fixture
def virus(tmp_path):
    path = tmp_path / "virus"
    path.write_bytes(b"x" * 100_000 + b"EICAR")
    return path


def test_a_clean_file_arrives_whole_and_is_called_clean(minutes):
    with clamd() as server:
        assert scan(minutes, address_of(server)) is Scan.CLEAN
        assert server.seen == [minutes.read_bytes()]


def test_a_virus_is_found(virus):
    with clamd() as server:
        assert scan(virus, address_of(server)) is Scan.FOUND


def test_a_scanner_behind_a_local_socket_is_asked_too(virus, tmp_path):
    path = str(tmp_path / "clamd.sock")
    with clamd(socketserver.UnixStreamServer, path):
        assert scan(virus, path) is Scan.FOUND


def test_an_error_of_the_scanner_is_no_verdict(minutes):
    with clamd(reply=b"INSTREAM size limit exceeded. ERROR\0") as server:
        assert scan(minutes, address_of(server)) is Scan.NOT_SCANNED


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:1", "/no/such/socket"])
def test_without_a_scanner_a_file_is_not_scanned(minutes, address):
    assert scan(minutes, address) is Scan.NOT_SCANNED


def test_a_scanner_that_never_answers_is_not_waited_for(minutes):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert scan(minutes, f"127.0.0.1:{silent.getsockname()[1]}", seconds=0.2) is Scan.NOT_SCANNED

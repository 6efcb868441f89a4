"""A certification authority, a time-stamp authority and their lists of revoked certificates, served on 127.0.0.1."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from pyhanko.keys.internal import translate_pyca_cryptography_cert_to_asn1, translate_pyca_cryptography_key_to_asn1
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

_DER = Encoding.DER
PASSPHRASE = "qinghe-test"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def usage_of(*allowed: str) -> x509.KeyUsage:
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{each: each in allowed for each in every})


@dataclass
class Authority:
    """Issues certificates; the addresses that it writes into them are those of `serve`, if it runs."""

    now: datetime
    common: str = "测试根证书"
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    revoked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = name_of(self.common)
        usage = usage_of("key_cert_sign", "crl_sign")
        self.root = self.certificate(self.key, self.name, usage, days=3650, is_root=True)

    def certificate(
        self, key: Key, name: x509.Name, usage: x509.KeyUsage, *, days: int = 365, since: datetime | None = None,
        is_root: bool = False, crl: str | None = None, responder: str | None = None, stamps: bool = False,
    ) -> x509.Certificate:  # fmt: skip
        since = since or self.now - timedelta(days=1)
        builder = (
            x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(since).not_valid_after(since + timedelta(days))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )  # fmt: skip
        if crl:
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl)], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        if responder:
            access = x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(responder)
            )
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        if stamps:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            builder = builder.add_extension(purpose, critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def pkcs12(self, path: Path, key: Key, certificate: x509.Certificate) -> Path:
        """Write key, certificate and root as a PKCS#12 file that PASSPHRASE opens."""
        secret = BestAvailableEncryption(PASSPHRASE.encode())
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"key", key, certificate, [self.root], secret))
        return path

    def organ(self, path: Path, *, key: Key | None = None, name: str = "清河市档案局（测试）", **more: Any) -> Path:
        """Write the PKCS#12 file of an organ that may sign documents."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        usage = more.pop("usage", usage_of("digital_signature", "content_commitment"))
        return self.pkcs12(path, key, self.certificate(key, name_of(name), usage, **more))

    def crl(self) -> bytes:
        """The list of revoked certificates, in DER."""
        then = self.now - timedelta(hours=1)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(then).next_update(self.now + timedelta(days=7))
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
        for serial in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(then).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(_DER)

    def ocsp(self, asked: bytes) -> bytes:
        """The answer to a request: good for every certificate that is not revoked, in DER."""
        request = ocsp.load_der_ocsp_request(asked)
        revoked = request.serial_number in self.revoked
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=request.issuer_name_hash,
            issuer_key_hash=request.issuer_key_hash,
            serial_number=request.serial_number,
            algorithm=request.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=self.now - timedelta(minutes=5),
            next_update=self.now + timedelta(days=1),
            revocation_time=self.now - timedelta(hours=1) if revoked else None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.root)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(_DER)


@dataclass(frozen=True)
class Service:
    """Addresses of a running service."""

    authority: Authority
    base: str
    stamper: DummyTimeStamper

    @property
    def stamps(self) -> str:
        return f"{self.base}/stamps"

    @property
    def crl(self) -> str:
        return f"{self.base}/revoked.crl"

    @property
    def responder(self) -> str:
        return f"{self.base}/ocsp"


@contextmanager
def serve(authority: Authority, *, stamps_are_revocable: bool = True, delay: float = 0) -> Iterator[Service]:
    """Serve time stamps, revoked certificates and single answers on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(authority.crl(), "application/pkix-crl", known=self.path == "/revoked.crl")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(delay)
            if self.path == "/stamps":
                stamp = service.stamper.request_tsa_response(tsp.TimeStampReq.load(body)).dump()
                self.answer(stamp, "application/timestamp-reply", known=True)
            elif self.path == "/ocsp":
                self.answer(authority.ocsp(body), "application/ocsp-response", known=True)
            else:
                self.answer(b"<p>no stamps here</p>", "text/html", known=self.path == "/html")

        def answer(self, content: bytes, kind: str, *, known: bool) -> None:
            try:
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:  # whoever asked has stopped waiting
                pass

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    crl = f"{base}/revoked.crl" if stamps_are_revocable else None
    service = Service(authority, base, _stamper(authority, crl))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _stamper(authority: Authority, crl: str | None) -> DummyTimeStamper:
    key = rsa.generate_private_key(65537, 2048)
    certificate = authority.certificate(
        key, name_of("测试时间戳服务"), usage_of("digital_signature"), stamps=True, crl=crl
    )
    return DummyTimeStamper(
        translate_pyca_cryptography_cert_to_asn1(certificate),
        translate_pyca_cryptography_key_to_asn1(key),
        fixed_dt=authority.now.replace(microsecond=0).astimezone(UTC),
    )

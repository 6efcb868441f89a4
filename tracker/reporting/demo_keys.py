"""Makes a small certification authority for demonstrations: its names say so, and nothing here serves a real seal."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509.oid import NameOID

from tracker.domain.errors import Conflict
from tracker.domain.text import _n

ORGAN = "清河市直属机关工作委员会（演示）"
AUTHORITY = "演示证书颁发机构（不可用于正式文件）"
ROOT_DAYS, SIGNING_DAYS = 3650, 1095


@dataclass(frozen=True)
class DemoAuthority:
    """Where the files lie: root certificate (PEM), signing key (PKCS#12) and its passphrase (text, one line)."""

    root: Path
    key: Path
    passphrase: Path


def demo_authority(folder: Path) -> DemoAuthority:
    """Where the files of an authority lie in `folder`, made or not."""
    return DemoAuthority(folder / "demo-root.pem", folder / "demo-signing.p12", folder / "demo-signing-passphrase.txt")


def make_demo_authority(folder: Path, *, now: datetime) -> DemoAuthority:
    """Make a root and an organ's signing certificate, valid from `now`, in `folder`; raises Conflict over old files."""
    made = demo_authority(folder)
    there = [path.name for path in (made.root, made.key, made.passphrase) if path.exists()]
    if there:
        raise Conflict(
            _n("文件夹“%(folder)s”中已有演示证书（%(names)s），没有覆盖。请换一个文件夹，或先移走它们。"),
            folder=folder,
            names="、".join(there),
        )
    root_key, signing_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _root(root_key, now)
    certificate = _signing_certificate(signing_key, root, root_key, now)
    passphrase = secrets.token_urlsafe(18)
    packed = pkcs12.serialize_key_and_certificates(
        ORGAN.encode(), signing_key, certificate, [root], BestAvailableEncryption(passphrase.encode())
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(made.root, root.public_bytes(Encoding.PEM), 0o644)
    _write(made.key, packed, 0o600)
    _write(made.passphrase, f"{passphrase}\n".encode(), 0o600)
    return made


def _write(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        file.write(content)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "清河市（演示）"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(name: x509.Name, issuer: x509.Name, now: datetime, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_documents: bool) -> x509.KeyUsage:
    """What the key is for: documents, or certificates and lists of revoked ones."""
    return x509.KeyUsage(
        digital_signature=signs_documents,
        content_commitment=signs_documents,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signs_documents,
        crl_sign=not signs_documents,
        encipher_only=False,
        decipher_only=False,
    )


def _root(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name(AUTHORITY)
    return (
        _builder(name, name, now, ROOT_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_documents=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _signing_certificate(
    key: ec.EllipticCurvePrivateKey, root: x509.Certificate, root_key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    return (
        _builder(_name(ORGAN), root.subject, now, SIGNING_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_documents=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )

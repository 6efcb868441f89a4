"""Signs a finished PDF with the organ's certificate (PAdES); asks authorities, lays out nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from pyhanko.keys.internal import translate_pyca_cryptography_cert_to_asn1, translate_pyca_cryptography_key_to_asn1
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import InvisSigSettings, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes, SimpleSigner
from pyhanko.sign.signers.pdf_signer import (
    DSSContentSettings,
    PdfSignatureMetadata,
    PdfSigner,
    PdfSigningSession,
    PreSignValidationStatus,
    SigDSSPlacementPreference,
)
from pyhanko.sign.timestamps.aiohttp_client import HTTPTimeStamper
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import (
    validate_tst_signed_data,
)
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    PathBuildingError,
    PathValidationError,
    RevokedError,
)
from pyhanko_certvalidator.fetchers import OwnedFetcherBackend
from pyhanko_certvalidator.fetchers.aiohttp_fetchers import AIOHttpFetcherBackend
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tracker.domain.errors import WrongState
from tracker.domain.text import _n

FIELD = "Signature1"
WAIT = 10.0  # seconds for one answer of an authority
WAIT_FOR_REVOCATION = 30.0  # seconds for all of them together
_PIECE = 1024**2

T = TypeVar("T")
Level = Literal["B-B", "B-T", "B-LT"]
Extent = Literal["none", "partial", "complete"]


class CannotSign(WrongState):
    """The key, its certificate or an authority does not permit a signature now; the sentence says what to do."""


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate says: common name, whole names after RFC 4514, validity in UTC, SHA-256 in lower-case hex."""

    name: str
    subject: str
    issuer: str
    valid_from: datetime
    valid_until: datetime
    sha256: str


@dataclass(frozen=True)
class Signer:
    """A key that may sign, with its certificate and the certificates of its issuers."""

    certificate: x509.Certificate
    inner: SimpleSigner = field(repr=False)


@dataclass(frozen=True)
class Signed:
    """What was signed: PAdES level, time of the stamp, and how much revocation information lies in the file."""

    level: Level
    certificate: CertificateFacts
    stamped_at: datetime | None
    revocation: Extent


def certificate_facts(certificate: x509.Certificate) -> CertificateFacts:
    """Return what `certificate` says."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    subject = certificate.subject.rfc4514_string()
    return CertificateFacts(
        name=str(names[0].value) if names else subject,
        subject=subject,
        issuer=certificate.issuer.rfc4514_string(),
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def load_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM file; raises CannotSign where there is no such file or none in it."""
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise CannotSign(
            _n("读不到证书文件“%(path)s”，请核对路径和读取权限。"), path=path, field="trusted_certificates"
        ) from error
    except ValueError as error:
        raise CannotSign(
            _n("证书文件“%(path)s”中没有可用的证书，请换成 PEM 格式的根证书文件。"),
            path=path,
            field="trusted_certificates",
        ) from error


# ---- the key ----


def load_signer(path: Path, passphrase: str, *, now: datetime, issuers: Sequence[x509.Certificate] = ()) -> Signer:
    """Return the signer of a PKCS#12 file with an RSA or elliptic-curve key; `issuers` complete its chain.

    Raises CannotSign: no such file, wrong passphrase, no key in it, a key that cannot sign, not valid at `now`.
    """
    key, certificate, others = _unpack(path, passphrase)
    _demand_usable(certificate, now)
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple([translate_pyca_cryptography_cert_to_asn1(each) for each in (*others, *issuers)])
    inner = SimpleSigner(
        signing_cert=translate_pyca_cryptography_cert_to_asn1(certificate),
        signing_key=translate_pyca_cryptography_key_to_asn1(key),
        cert_registry=store,
        embed_roots=False,
    )
    return Signer(certificate, inner)


_SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def _unpack(path: Path, passphrase: str) -> tuple[_SigningKey, x509.Certificate, list[x509.Certificate]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CannotSign(
            _n("读不到签名证书文件“%(path)s”，请核对 TRACKER_SIGNING_KEY 的路径和读取权限。"), path=path
        ) from error
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(content, passphrase.encode())
    except UnsupportedAlgorithm as error:
        raise CannotSign(_n("签名证书文件用了本系统不支持的算法，请换用 RSA 或 ECDSA 的证书。")) from error
    except ValueError as error:
        raise CannotSign(
            _n("打不开签名证书文件：口令不对，或者它不是完好的 PKCS#12 文件。请核对 TRACKER_SIGNING_PASSPHRASE。")
        ) from error
    if key is None or certificate is None:
        raise CannotSign(_n("签名证书文件中没有私钥和证书，请重新导出，并选择“包含私钥”。"))
    if not isinstance(key, _SigningKey):
        raise CannotSign(_n("签名证书文件用了本系统不支持的算法，请换用 RSA 或 ECDSA 的证书。"))
    return key, certificate, others


def _demand_usable(certificate: x509.Certificate, now: datetime) -> None:
    """Refuse a certificate that is not valid at `now` or whose key is not for signing documents."""
    if now < certificate.not_valid_before_utc:
        raise CannotSign(
            _n("签名证书从 %(day)s 起才有效，请核对本机时间，或换用已经生效的证书。"),
            day=certificate.not_valid_before_utc.date().isoformat(),
        )
    if now > certificate.not_valid_after_utc:
        raise CannotSign(
            _n("签名证书已于 %(day)s 到期，请向发证机构换发后再签名。"),
            day=certificate.not_valid_after_utc.date().isoformat(),
        )
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise CannotSign(_n("这张证书的密钥用途不含签名，请换用密钥用途为“数字签名”或“不可否认”的证书。"))


# ---- signing ----


async def stamp_status(token: Any, digest_of: Callable[[str], bytes]) -> dict[str, Any]:  # noqa: ANN401  asn1crypto
    """What pyHanko says of a time stamp over a digest, not asking who made it: its own certificates serve as roots."""
    own = ValidationContext(trust_roots=[each.chosen for each in token["certificates"]])
    return dict(await validate_tst_signed_data(token, own, digest_of))


class _Authority(HTTPTimeStamper):
    """A time-stamp authority whose answer is checked before it is used; any fault is one that the user can read."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout=WAIT)
        self.stamped_at: datetime | None = None

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> Any:  # noqa: ANN401  asn1crypto
        """Return the token over the digest; raises CannotSign."""
        try:
            token = await super().async_timestamp(message_digest, md_algorithm)
            status = await stamp_status(token["content"], lambda _: message_digest)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, SignatureValidationError) as error:
            raise CannotSign(
                _n("时间戳服务“%(url)s”没有给出可用的时间戳。请核对 TRACKER_TIMESTAMP_URL 和网络，稍后再签名。"),
                url=self.url,
            ) from error
        if not (status["intact"] and status["valid"]):
            raise CannotSign(
                _n("时间戳服务“%(url)s”给出的时间戳与文件不符，没有签名。请联系提供时间戳的机构。"), url=self.url
            )
        self.stamped_at = status["timestamp"]
        return token


class _Revision(IncrementalPdfFileWriter):
    """A revision that adds a signature and nothing else: title, producer and dates stay those of the document."""

    def _update_meta(self) -> None:
        """Leave out what pyHanko would write: its own name as the producer, this machine's time as that of a change."""


class _Signer(PdfSigner):
    """Signs a PDF 1.7 as one: PDF/A-3 knows no other version."""

    def register_extensions(self, pdf_out: BasePdfFileWriter, *, md_algorithm: str) -> None:  # noqa: ARG002
        """Name the extension for PAdES, and not ISO 32002, which makes the file a PDF 2.0.

        It is named for elliptic curves; that they were used is told by the signature itself (CMS, RFC 5753).
        """
        pdf_out.register_extension(ESIC_EXTENSION_1)


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Do the work in a thread of its own: the caller's may have an event loop already."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


def sign(
    source: Path,
    target: Path,
    *,
    signer: Signer,
    reason: str,
    organization: str,
    timestamp_url: str | None,
    now: datetime,
) -> Signed:
    """Write `source` with a signature over the whole file behind it to `target`; its bytes stay as they are.

    `target` is there whole or not at all. Raises CannotSign: the certificate is not valid at `now` or was revoked,
    the authority at `timestamp_url` does not answer within WAIT seconds, the file is signed already. Revocation
    information that cannot be had is no error; the answer says how much there is.
    """
    _demand_usable(signer.certificate, now)
    part = target.with_name(f"{target.name}.part")
    try:
        shutil.copyfile(source, part)
        with part.open("r+b") as file:
            signed = finished(_sign_in_place(file, signer, reason, organization, timestamp_url, now))
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return signed


async def _sign_in_place(
    file: IO[bytes], signer: Signer, reason: str, organization: str, timestamp_url: str | None, now: datetime
) -> Signed:
    writer = _Revision(file)
    if writer.prev.embedded_signatures:
        raise CannotSign(_n("这个文件已经签过名，不再重复签名。请使用未签名的文件。"))
    authority = _Authority(timestamp_url) if timestamp_url else None
    if authority:
        await authority.async_dummy_response("sha256")
    found, extent = await _revocation_information(signer, authority, now)
    session = _session(writer, signer, authority, reason, organization)
    session.system_time = now
    prepared = session.prepare_tbs_document(
        validation_info=found, bytes_reserved=await session.estimate_signature_container_size(found)
    )
    digest, _ = prepared.digest_tbs_document(in_place=True, chunk_size=_PIECE)
    await prepared.perform_signature(
        document_digest=digest.document_digest, pdf_cms_signed_attrs=PdfCMSSignedAttributes(signing_time=now)
    )
    stamped_at = authority.stamped_at if authority else None
    return Signed(_level(stamped_at, extent), certificate_facts(signer.certificate), stamped_at, extent)


def _level(stamped_at: datetime | None, extent: Extent) -> Level:
    if stamped_at is None:
        return "B-B"
    return "B-LT" if extent == "complete" else "B-T"


def _session(
    writer: IncrementalPdfFileWriter, signer: Signer, authority: _Authority | None, reason: str, organization: str
) -> PdfSigningSession:
    """Open a session of pyHanko: a field without a place, outside the page so that PDF/UA lets it be untagged."""
    metadata = PdfSignatureMetadata(
        field_name=FIELD,
        reason=reason,
        name=organization,
        subfilter=SigSeedSubFilter.PADES,
        dss_settings=DSSContentSettings(include_vri=False, placement=SigDSSPlacementPreference.TOGETHER_WITH_SIGNATURE),
    )
    spec = SigFieldSpec(FIELD, invis_sig_settings=InvisSigSettings(box_out_of_bounds=True))
    return _Signer(metadata, signer.inner, timestamper=authority, new_field_spec=spec).init_signing_session(writer)


async def _revocation_information(
    signer: Signer, authority: _Authority | None, now: datetime
) -> tuple[PreSignValidationStatus | None, Extent]:
    """Ask the addresses in the certificates of signer and authority; what does not answer in time is left out."""
    asked = _chains(signer, authority)
    context = ValidationContext(
        trust_roots=[_last_issuer(certificate, others) for certificate, others in asked],
        allow_fetching=True,
        fetcher_backend=OwnedFetcherBackend(AIOHttpFetcherBackend(per_request_timeout=int(WAIT))),
    )
    try:
        paths = await asyncio.wait_for(_paths(asked, context), WAIT_FOR_REVOCATION)
    except RevokedError as error:
        raise CannotSign(_n("签名证书或时间戳证书已被吊销，不能签名。请向发证机构换发证书。")) from error
    except TimeoutError:
        return None, "none"
    finally:
        await context.aclose()  # type: ignore[no-untyped-call]
    if not paths or not (context.crls or context.ocsps):
        return None, "none"
    found = PreSignValidationStatus(
        signer_path=paths[0],
        validation_paths=paths,
        ts_validation_paths=paths[1:],
        crls_to_embed=context.crls,
        ocsps_to_embed=context.ocsps,
    )
    return found, "complete" if await _is_complete(asked, found, now) else "partial"


_Asked = list[tuple[Any, list[Any]]]  # certificates of asn1crypto: the one that signs, and its possible issuers


def _chains(signer: Signer, authority: _Authority | None) -> _Asked:
    stamping = list(authority._certs.values()) if authority else []
    issuers = [*signer.inner.cert_registry, *(authority.cert_registry if authority else ())]
    return [(each, issuers) for each in (signer.inner.signing_cert, *stamping)]


def _last_issuer(certificate: Any, others: Sequence[Any]) -> Any:  # noqa: ANN401  asn1crypto
    """The end of the chain as far as its certificates are at hand."""
    for _ in others:
        if certificate.self_issued:
            break
        certificate = next((each for each in others if each.subject == certificate.issuer), certificate)
    return certificate


async def _paths(asked: _Asked, context: ValidationContext) -> list[ValidationPath]:
    """The chain of each certificate, without those that have none; raises RevokedError."""
    paths = []
    for certificate, issuers in asked:
        try:
            validator = CertificateValidator(certificate, issuers, validation_context=context)
            paths.append(await validator.async_validate_path())
        except RevokedError:
            raise
        except (PathBuildingError, PathValidationError):
            continue
    return paths


async def _is_complete(asked: _Asked, found: PreSignValidationStatus, now: datetime) -> bool:
    """Whether what was found answers for every certificate but the last issuers."""
    context = ValidationContext(
        trust_roots=[path.trust_anchor.certificate for path in found.validation_paths],  # type: ignore[attr-defined]
        moment=now,
        crls=found.crls_to_embed,
        ocsps=found.ocsps_to_embed,
        revocation_mode="require",
        retroactive_revinfo=True,
    )
    paths = await _paths(asked, context)
    return len(paths) == len(asked) and all(len(path) > 1 for path in paths)

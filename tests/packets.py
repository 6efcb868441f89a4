"""A small audit packet, made by hand after `docs/packet.md`, and ways to tamper with one."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from pikepdf import Dictionary, Name, Pdf
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf

from tracker.domain.canonical import canonical_json
from tracker.domain.log import entry_content, entry_digest
from tracker.domain.packet import (
    EmbeddedFile,
    FileState,
    NotShown,
    PacketAppointment,
    PacketChain,
    PacketChecklist,
    PacketDuty,
    PacketFacts,
    PacketFile,
    PacketKind,
    PacketOrganization,
    PacketPage,
    PacketPerson,
    PacketRecord,
    SignOff,
    Volume,
    manifest,
)
from tracker.domain.packet_check.bundle import verifier_source
from tracker.domain.packet_check.check import check_packet
from tracker.domain.packet_check.content import PageContent, PageDigests, page_contents
from tracker.domain.packet_check.reader import opened
from tracker.domain.packet_check.result import FAILED, Check
from tracker.domain.sign_off import EvidenceContent, FileContent, duty_content, signature_digest, text_digest
from tracker.reporting.stamp import code_form

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NUMBER = "DC-2026-0001"
FONT = b"the outlines of a font"
MEDIA_TYPE = "application/octet-stream"
OWN_TYPES = {"manifest.json": "application/json", "SHA256SUMS": "text/plain", "SM3SUMS": "text/plain"}
SENTENCE = "召开了一次会议。"
REASON = "照片不清楚。"
ITEM_DIGEST = "ab" * 32
CHAIN = "unit-1"

PEOPLE = {"submit": "person-1", "return": "person-2", "confirm": "person-2"}

Change = Callable[[dict[str, Any]], None]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Recipe:
    """What a packet is made of. `change` alters the manifest before it is digested; `lines` are those of the log."""

    drawn: Sequence[bytes] = tuple(b"%d 0 m 100 100 l S /Picture Do" % number for number in range(1, 7))
    lines: Sequence[bytes] = ()
    volumes: int = 1
    object_streams: bool = True
    change: Change = lambda members: None
    files: dict[str, bytes] = field(default_factory=lambda: {"E1-1.jpg": b"a photo" * 50, "E2-1.pdf": b"a scan" * 90})


RECIPE = Recipe()


# ---------------------------------------------------------------- what the manifest claims


def log_lines(count: int = 6, sealed: Sequence[int] = ()) -> list[bytes]:
    """The lines of a chain; every second payload is left out, those of some entries because they were sealed."""
    lines: list[bytes] = []
    previous = None
    for seq in range(1, count + 1):
        payload = f'{{"seq":{seq}}}'
        members: dict[str, Any] = {
            "chain": CHAIN,
            "seq": seq,
            "at": AT,
            "act_id": f"act-{seq}",
            "actor": "person-1",
            "appointment": None,
            "verb": "submit",
            "object_kind": "duty",
            "object_key": "duty-1",
            "payload_digest": sha256(payload.encode()),
            "request_id": None,
            "previous": previous,
        }
        previous = entry_digest(**members)
        entry = json.loads(entry_content(**members))
        added = {"digest": previous, "payload": payload if seq % 2 else None, "sealed": seq in sealed}
        lines.append(canonical_json({**entry, **added}))
    return lines


def records(files: dict[str, bytes]) -> tuple[PacketRecord, ...]:
    """Two records of evidence, with a file each."""
    return tuple(
        PacketRecord(
            key=f"E{number}",
            organization="O1",
            act_on=date(2026, 3, 1),
            recorded_at=AT,
            sentence=SENTENCE,
            sentence_sha256=text_digest(SENTENCE),
            counts={"people": 12},
            withdrawn=False,
            sealed=False,
            duties=(f"duty-{number}",),
            files=(
                PacketFile(
                    name=f"原件{number}.bin",
                    sha256=sha256(data),
                    size=len(data),
                    media_type=MEDIA_TYPE,
                    state=FileState.EMBEDDED,
                    file=name,
                    pages=(number, number),
                ),
            ),
        )
        for number, (name, data) in enumerate(files.items(), start=1)
    )


def duty(record: PacketRecord, number: int) -> PacketDuty:
    """A duty that was submitted, returned, submitted again and confirmed."""
    covered = duty_content(
        duty_key=f"duty-{number}",
        item_id="item-1",
        item_digest=ITEM_DIGEST,
        period="2026-Q1",
        occurrence=1,
        evidence=[
            EvidenceContent(
                public_id=record.key,
                act_on=record.act_on,
                sentence_sha256=record.sentence_sha256,
                counts=record.counts,
                files=[FileContent(file.name, file.sha256, file.size) for file in record.files],
            )
        ],
    )
    signed: list[SignOff] = []
    for action in ("submit", "return", "submit", "confirm"):
        reason = REASON if action == "return" else None
        members: dict[str, Any] = {
            "content_digest": sha256(covered),
            "action": action,
            "person": PEOPLE[action],
            "appointment": PEOPLE[action].replace("person", "appointment"),
            "at": AT,
            "previous": signed[-1].digest if signed else None,
            "reason_sha256": text_digest(reason) if reason else None,
        }
        place = len(signed) + 1
        signed.append(
            SignOff(
                number=place,
                key=f"sign-off-{number}-{place}",
                claim=None,
                reason=reason,
                content=covered.decode(),
                digest=signature_digest(**members),
                **members,
            )
        )
    return PacketDuty(
        key=f"duty-{number}",
        organization="O1",
        item="item-1",
        item_digest=ITEM_DIGEST,
        title="开会",
        post="post-1",
        period="2026-Q1",
        occurrence=1,
        due_on=date(2026, 3, 31),
        state="confirmed",
        timeliness="in_time",
        act_on=record.act_on,
        changed_after_signing=False,
        content_digest=sha256(covered),
        evidence=(record.key,),
        verdict=None,
        sign_offs=tuple(signed),
    )


def facts(recipe: Recipe, lines: Sequence[bytes]) -> PacketFacts:
    """Everything that the packet claims of the state of the system."""
    evidence, last = records(recipe.files), json.loads(lines[-1])
    return PacketFacts(
        number=NUMBER,
        kind=PacketKind.INSPECTION,
        title="督查卷",
        inspection="1",
        units=("O1",),
        period=(date(2026, 1, 1), date(2026, 3, 31)),
        as_of=AT,
        language="zh",
        checklist=PacketChecklist(key="c", version="1", title="清单", sha256=sha256(b"a: 1\n"), source=b"a: 1\n"),
        organizations=(PacketOrganization(code="O1", name="甲", level="level", parent=None, unit="O1"),),
        people=(PacketPerson(key="person-1", name="张三"), PacketPerson(key="person-2", name="王五")),
        appointments=tuple(
            PacketAppointment(
                key=f"appointment-{n}", person=f"person-{n}", organization="O1", post="post-1", kind="principal"
            )
            for n in (1, 2)
        ),
        duties=tuple(duty(record, number) for number, record in enumerate(evidence, start=1)),
        evidence=evidence,
        log=(PacketChain(chain=CHAIN, entries=last["seq"], head=(last["seq"], last["digest"]), lines=b""),),
    )


# ---------------------------------------------------------------- the PDF


def make_packet(folder: Path, recipe: Recipe = RECIPE) -> list[Path]:
    """Write a packet into a folder; return its volumes."""
    lines = list(recipe.lines) or log_lines()
    pdfs = [_drawn(recipe, number) for number in range(1, recipe.volumes + 1)]
    contents = [_contents(pdf, folder) for pdf in pdfs]
    attached = _attached(recipe, b"".join(line + b"\n" for line in lines))
    claimed = _manifest(recipe, contents, attached, facts(recipe, lines), _font_digest(folder))
    for number, pdf in enumerate(pdfs, start=1):
        _stamp(pdf, sha256(claimed))
        _embed(pdf, {name: data for name, data in attached.items() if _volume_of(name, recipe) == number}, claimed)
        pdf.trailer["/TrkPacket"], pdf.trailer["/TrkVolume"] = pikepdf.String(NUMBER), pikepdf.String(str(number))
        pdf.trailer["/TrkManifest"] = pikepdf.String(sha256(claimed))
    paths = [folder / f"packet-{number}.pdf" for number in range(1, recipe.volumes + 1)]
    for path, pdf in zip(paths, pdfs, strict=True):
        path.write_bytes(sealed(pdf, object_streams=recipe.object_streams))
    return paths


def _drawn(recipe: Recipe, number: int) -> Pdf:
    pdf = pikepdf.new()
    share = -(-len(recipe.drawn) // recipe.volumes)
    picture = pdf.make_stream(b"\x00" * 12, Type=Name.XObject, Subtype=Name.Image, Width=2, Height=2)
    shared = pdf.make_indirect(Dictionary(XObject=Dictionary(Picture=picture)))
    for place, drawn in enumerate(recipe.drawn[(number - 1) * share : number * share]):
        pdf.add_blank_page(page_size=(595.28, 841.89))
        page = pdf.pages[-1].obj
        page.Contents = pdf.make_stream(drawn)
        if place % 2:
            page.Resources = shared
    first, second = pdf.pages[0].obj, pdf.pages[1].obj
    go_to = Dictionary(S=Name.GoTo, D=[second, Name.Fit])
    link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=[0, 0, 9, 9], A=go_to, P=first)
    first.Annots = [pdf.make_indirect(link)]
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        metadata["pdfaid:part"], metadata["pdfaid:conformance"] = "3", "A"
    return pdf


def _contents(pdf: Pdf, folder: Path) -> list[PageContent]:
    """The digests of the pages before they are stamped."""
    path = folder / "unstamped.pdf"
    pdf.save(path, compress_streams=False)
    return page_contents(path)


def stamp_of(place: int) -> bytes:
    return zlib.compress(b"BT /TrkF1 9 Tf (%d) Tj ET /TrkQR Do" % place)


def _font(pdf: Pdf) -> pikepdf.Object:
    file = pdf.make_stream(FONT)
    descriptor = pdf.make_indirect(Dictionary(Type=Name.FontDescriptor, FontName=Name.Small, FontFile2=file))
    descendant = Dictionary(Type=Name.Font, Subtype=Name.CIDFontType2, FontDescriptor=descriptor)
    font = Dictionary(Type=Name.Font, Subtype=Name.Type0, BaseFont=Name.Small, DescendantFonts=[descendant])
    return pdf.make_indirect(font)


def _font_digest(folder: Path) -> str:
    """The digest of the font of the stamps."""
    path = folder / "font.pdf"
    with pikepdf.new() as pdf:
        pdf.Root.Trkx = _font(pdf)
        pdf.save(path, compress_streams=False)
    with opened(path) as reader:
        return PageDigests(reader, []).of_object(reader.catalog["Trkx"])


def _stamp(pdf: Pdf, claimed: str) -> None:
    font, code = _font(pdf), code_form(pdf, f"TRK1 {NUMBER} {claimed}")
    for place, page in enumerate(pdf.pages):
        resources = Dictionary(page.obj.get("/Resources", Dictionary()))
        resources.Font = Dictionary(TrkF1=font)
        resources.XObject = Dictionary({**dict(resources.get("/XObject", {})), "/TrkQR": code})
        page.obj.Resources = resources
        stamp = pdf.make_stream(stamp_of(place), TrkStamp=True, Filter=Name.FlateDecode)
        page.obj.Contents = [stamp, page.obj.Contents]


def _attached(recipe: Recipe, log: bytes) -> dict[str, bytes]:
    common = {"checklist.yaml": b"a: 1\n", f"log-{CHAIN}.jsonl": log, "verify_packet.py": verifier_source()}
    return {**common, **recipe.files}


def _volume_of(name: str, recipe: Recipe) -> int:
    """The first volume has what belongs to the whole, and the last one the evidence."""
    return recipe.volumes if name in recipe.files else 1


def _manifest(
    recipe: Recipe,
    contents: Sequence[Sequence[PageContent]],
    attached: dict[str, bytes],
    claimed: PacketFacts,
    stamp_font: str,
) -> bytes:
    volumes, pages = [], []
    for number, digests in enumerate(contents, start=1):
        volumes.append(Volume(number=number, first_page=len(pages) + 1, last_page=len(pages) + len(digests)))
        for place, digest in enumerate(digests):
            stamp = sha256(stamp_of(place))
            pages.append(PacketPage(page=len(pages) + 1, part="report", content=digest.content, stamp=stamp))
    members = json.loads(
        manifest(
            claimed,
            evidence=claimed.evidence,
            volumes=volumes,
            files=[_file(name, data, _volume_of(name, recipe)) for name, data in attached.items()],
            pages=pages,
            not_shown=[NotShown(evidence="E2", file=1, why="encrypted", sentence="文件有打开密码。")],
            stamp_fonts={"TrkF1": stamp_font},
            software=["tracker 1"],
            fonts=["Small"],
        )
    )
    recipe.change(members)
    return canonical_json(members)


def _file(name: str, data: bytes, volume: int) -> EmbeddedFile:
    return EmbeddedFile(
        name=name,
        sha256=sha256(data),
        size=len(data),
        media_type=MEDIA_TYPE,
        description=f"说明 {name}",
        volume=volume,
        sm3=hashlib.new("sm3", data).hexdigest(),
    )


def _embed(pdf: Pdf, attached: dict[str, bytes], claimed: bytes) -> None:
    files = {**attached, "manifest.json": claimed}
    files |= {"SHA256SUMS": _sums("sha256", files), "SM3SUMS": _sums("sm3", files)}
    for name, data in files.items():
        attach(pdf, name, data)


def _sums(algorithm: str, files: dict[str, bytes]) -> bytes:
    lines = [f"{hashlib.new(algorithm, files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    return "".join(lines).encode()


def attach(pdf: Pdf, name: str, data: bytes) -> None:
    """Embed a file, or put other bytes in the place of one."""
    kind = OWN_TYPES.get(name, MEDIA_TYPE)
    spec = pikepdf.AttachedFileSpec(
        pdf, data, filename=name, description=f"说明 {name}", mime_type=kind, relationship=Name.Data
    )
    pdf.attachments[name] = spec
    associated = [other for other in pdf.Root.get("/AF", []) if str(other.UF) != name]
    pdf.Root.AF = pikepdf.Array([*associated, pdf.attachments[name].obj])


def sealed(pdf: Pdf, *, object_streams: bool = True) -> bytes:
    """The file, with the digest of all its bytes in its trailer."""
    pdf.trailer["/TrkDigest"] = pikepdf.String("0" * 64)
    mode = pikepdf.ObjectStreamMode.generate if object_streams else pikepdf.ObjectStreamMode.disable
    file = BytesIO()
    pdf.save(file, object_stream_mode=mode, compress_streams=False, deterministic_id=True)
    return resealed(file.getvalue())


def resealed(data: bytes) -> bytes:
    """The bytes with their digest made anew: what somebody does who knows how packets are made."""
    blank = re.sub(rb"/TrkDigest \([0-9a-f]{64}\)", b"/TrkDigest (" + b"0" * 64 + b")", data)
    return blank.replace(b"/TrkDigest (" + b"0" * 64, b"/TrkDigest (" + sha256(blank).encode())


def tampered(path: Path, change: Callable[[Pdf], None], *, object_streams: bool = True) -> Path:
    """The packet with something changed in it, and the digest of the whole file made anew."""
    with pikepdf.open(path) as pdf:
        change(pdf)
        data = sealed(pdf, object_streams=object_streams)
    other = path.with_name(f"tampered-{path.name}")
    other.write_bytes(data)
    return other


def redraw(pdf: Pdf, place: int) -> None:
    """Draw something else on a page, counted from 0."""
    pdf.pages[place].obj.Contents[1] = pdf.make_stream(b"0 0 m 7 7 l S")


def with_manifest(change: Change, recipe: Recipe = RECIPE) -> Recipe:
    """A recipe for a packet whose manifest claims something else, and is digested as it is."""
    return replace(recipe, change=change)


# ---------------------------------------------------------------- what the checker says


def check(key: str, *paths: Path) -> Check:
    """One check of the result."""
    return next(found for found in check_packet(paths).checks() if found.key == key)


def faults(key: str, *paths: Path) -> list[str]:
    """What one check says in words."""
    return [str(fault) for fault in check(key, *paths).faults]


def failed(*paths: Path) -> set[str]:
    """The keys of the checks that failed."""
    return {found.key for found in check_packet(paths).checks() if found.outcome == FAILED}


# ---------------------------------------------------------------- what comes after


def signed(path: Path, field_name: str = "Signature") -> Path:
    """The packet with a signature behind it, by a certificate that nobody knows."""
    writer = IncrementalPdfFileWriter(BytesIO(path.read_bytes()))
    settings = PdfSignatureMetadata(field_name=field_name, subfilter=SigSeedSubFilter.PADES)
    other = path.with_name(f"signed-{path.name}")
    other.write_bytes(sign_pdf(writer, settings, signer=_signer()).getvalue())
    return other


def _signer() -> SimpleSigner:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "t")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(5)
    certificate = made.not_valid_before(AT).not_valid_after(AT.replace(year=2099)).sign(key, hashes.SHA256())
    data = pkcs12.serialize_key_and_certificates(b"t", key, certificate, None, serialization.NoEncryption())
    return SimpleSigner.load_pkcs12_data(data, other_certs=[])


def revised(path: Path, number: int, body: bytes) -> Path:
    """The file with one object replaced in a revision behind it."""
    with opened(path) as reader:
        root, last, size = reader.trailer["Root"], reader.revisions[-1].table, reader.trailer["Size"]
    whole = path.read_bytes()
    added = b"%d 0 obj\n%s\nendobj\n" % (number, body)
    entry = b"xref\n%d 1\n%010d 00000 n \n" % (number, len(whole))
    trailer = b"trailer << /Root %d 0 R /Prev %d /Size %d >>\n" % (root.number, last, size)
    other = path.with_name(f"revised-{path.name}")
    other.write_bytes(whole + added + entry + trailer + b"startxref\n%d\n%%%%EOF\n" % (len(whole) + len(added)))
    return other

"""A city with a check of every kind of evidence, hostile files among it, to make packets of."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pikepdf
from PIL import Image
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from tests.city import NOW
from tests.prepared import lend
from tests.scene import ACT, play
from tests.storage.test_sheets import RED, looped_pages, pdf_of
from tracker.config import Settings, load_settings
from tracker.db import engine_options, prepare, writing
from tracker.models import Duty, Inspection, Person, StoredFile
from tracker.queries.actors import actor_of_person
from tracker.queries.inspections import is_sampled
from tracker.reporting.fonts import FontSet
from tracker.services import inspections, sign_offs
from tracker.storage import samples
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import Accepted

PAGES_OF_A_LONG_ONE = 10_000


def _encrypted() -> bytes:
    return pdf_of(RED, encryption=pikepdf.Encryption(owner="owner", user="secret"))


def _long() -> bytes:
    def lengthen(pdf: pikepdf.Pdf) -> None:
        tree = pdf.Root.Pages
        page = pikepdf.Dictionary(Type=pikepdf.Name.Page, Parent=tree, MediaBox=pikepdf.Array([0, 0, 30, 30]))
        tree.Kids = pikepdf.Array([pdf.make_indirect(pikepdf.Dictionary(page)) for _ in range(PAGES_OF_A_LONG_ONE)])
        tree.Count = PAGES_OF_A_LONG_ONE

    return pdf_of(change=lengthen)


def _scripted() -> bytes:
    def arm(pdf: pikepdf.Pdf) -> None:
        script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.launchURL('http://127.0.0.1/')")
        pdf.Root.OpenAction = script
        pdf.Root.AA = pikepdf.Dictionary(WC=pikepdf.Dictionary(S=pikepdf.Name.Launch, F="/bin/sh"))

    return pdf_of(RED, change=arm)


def _picture(mode: str, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    colour = {"CMYK": (200, 20, 20, 0), "I;16": 30_000, "RGB": (10, 120, 40)}[mode]
    Image.new(mode, (400, 300), colour).save(content, kind, **options)
    return content.getvalue()


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _picture("RGB", "JPEG", exif=exif)


def _huge() -> bytes:
    """A picture of 30,000 dots a side, of one bit each: decoded to colours it would take 2.7 GB."""
    content = io.BytesIO()
    Image.new("1", (30_000, 30_000), 1).save(content, "PNG")
    return content.getvalue()


# What old data may hold: name, media type, what the packet must say of it ("" where it is shown).
HANDED_IN = NOW + timedelta(minutes=30)  # until then the check has nothing hostile in it
HOSTILE: dict[str, tuple[str, object, str]] = {
    "加密.pdf": ("application/pdf", _encrypted, "encrypted"),
    "截断.pdf": ("application/pdf", lambda: samples.sample_pdf("题", ["一"], pages=4)[:2000], "damaged"),
    "循环.pdf": ("application/pdf", looped_pages, "damaged"),
    "万页.pdf": ("application/pdf", _long, "too_many_pages"),
    "脚本.pdf": ("application/pdf", _scripted, ""),
    "巨图.png": ("image/png", _huge, "too_large"),
    "印刷色.jpg": ("image/jpeg", lambda: _picture("CMYK", "JPEG"), ""),
    "十六位.png": ("image/png", lambda: _picture("I;16", "PNG"), ""),
    "横拍.jpg": ("image/jpeg", _turned, ""),
    "手机.heic": ("image/heic", lambda: samples.sample_heic(3), ""),
    "表格.xls": ("application/vnd.ms-excel", lambda: b"\xd0\xcf\x11\xe0" * 100, "kind"),
    "丢失.jpg": ("image/jpeg", lambda: samples.sample_jpeg(901), "missing"),
    "被改.jpg": ("image/jpeg", lambda: samples.sample_jpeg(902), "changed"),
    "封存.jpg": ("image/jpeg", lambda: samples.sample_jpeg(903), "sealed"),
}


@dataclass(frozen=True)
class Installed:
    """An installation with a year in it."""

    settings: Settings
    engine: Engine

    def session(self) -> Session:
        """A session of its own."""
        return Session(self.engine)


def install(folder: Path, fonts: FontSet, *, sentence: str) -> Installed:
    """Make an installation in `folder` with the scene and one more record: what it says, and the hostile files."""
    chosen = load_settings(data_dir=folder)
    lend(fonts, folder)
    engine = create_engine(chosen.database, **engine_options(chosen.database))
    prepare(engine)
    with Session(engine) as session, writing(session):
        play(session, chosen, password="Qinghe-2026!")
        _hand_in_hostile_files(session, BlobStore(chosen.store_dir), sentence)
    return Installed(chosen, engine)


def _hand_in_hostile_files(session: Session, store: BlobStore, sentence: str) -> None:
    """Asha ticks one more duty of the check; the files come past every check at intake."""
    asha, ines = (actor_of_person(session, _person(session, who), today=NOW.date()) for who in ("asha", "ines"))
    duty = session.scalars(select(Duty).where(Duty.key == "2026.D1-B1.P4-1.L3-02.M04.1")).one()
    files, digests = [], {}
    for name, (media_type, content, _) in HOSTILE.items():
        blob = store.put([content()])
        digests[name] = blob.sha256
        files.append(Accepted(blob.sha256, blob.size, name, media_type, {}, False))
    counts = {"expected": 12, "present": 11}
    sign_offs.tick(
        session, duties=[duty], act_on=ACT, sentence=sentence, counts=counts, files=files, actor=asha, now=HANDED_IN
    )
    check = session.scalars(select(Inspection)).one()
    if not is_sampled(session, check, duty):
        inspections.add_to_sample(session, check, duty, actor=ines, now=HANDED_IN)
    store.path(digests["丢失.jpg"]).unlink()
    changed = store.path(digests["被改.jpg"])
    changed.chmod(0o600)
    changed.write_bytes(samples.sample_jpeg(904))
    sealed = session.scalars(select(StoredFile).where(StoredFile.sha256 == digests["封存.jpg"])).one()
    sealed.sealed_at = HANDED_IN
    store.destroy(sealed.sha256)


def _person(session: Session, key: str) -> Person:
    return session.scalars(select(Person).where(Person.key == key)).one()

"""What stands in documents: pages of PDF, parts of Office and OFD packages, characters of text.

Runs in a child process, on files that nobody has looked at yet. Nothing is ever unpacked to a disk.
"""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import pikepdf
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tracker.domain.media import Kind, Limits
from tracker.storage.refusal import Refused, Why

Facts = dict[str, Any]

OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how .doc, .xls, .ppt and encrypted Office files begin

_CHUNK = 1024**2
_MOST_XML = 16 * 1024**2
_ENCRYPTED = 0x1
_LOCAL_HEADER = b"PK\x03\x04"
_TYPES = "{http://schemas.openxmlformats.org/package/2006/content-types}"
_APP = "{http://schemas.openxmlformats.org/officeDocument/2006/extended-properties}"
_MACRO = re.compile(r"vbaproject|vbadata|macroenabled|macrosheet|activex", re.IGNORECASE)
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_SLIDE = re.compile(r"ppt/slides/[^/]+\.xml")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError, OSError)
_BROKEN_XML = (ParseError, DefusedXmlException, UnicodeDecodeError, ValueError)
_MAIN = {"docx": "wordprocessingml.document", "xlsx": "spreadsheetml.sheet", "pptx": "presentationml.presentation"}


# --- PDF ----------------------------------------------------------------------------------------------------------


def pdf_facts(path: Path, limits: Limits) -> Facts:
    """Return `{"pages": n}`; refuses a password, a broken file, no page, too many pages, and what is also a zip."""
    if not _starts(path, b"%PDF-", b"\xef\xbb\xbf%PDF-"):
        raise Refused(Why.OTHER_CONTENT)
    if zipfile.is_zipfile(path):
        raise Refused(Why.HIDDEN)
    try:
        pages = _pdf_pages(path)
    except pikepdf.PasswordError:
        raise Refused(Why.PASSWORD) from None
    except (pikepdf.PdfError, ValueError, TypeError, KeyError, OSError):
        raise Refused(Why.DAMAGED) from None
    if pages == 0:
        raise Refused(Why.NO_PAGES)
    if pages > limits.pages:
        raise Refused(Why.PAGES, pages=pages, most=limits.pages)
    return {"pages": pages}


def _pdf_pages(path: Path) -> int:
    """Count the pages; a file whose end is missing is not repaired, one with a sloppy table of contents is."""
    with pikepdf.open(path, attempt_recovery=_ends_well(path), suppress_warnings=True) as pdf:
        return len(pdf.pages)


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2048))
        return b"%%EOF" in file.read()


# --- zip ----------------------------------------------------------------------------------------------------------


def office_facts(path: Path, kind: Kind, limits: Limits) -> Facts:
    """Return what an Office file tells cheaply: pages, sheets or slides; refuses macros, bombs and other packages."""
    if _starts(path, OLD_OFFICE):
        raise Refused(Why.OLD)
    return _in_package(path, limits, lambda package: _office(package, kind))


def ofd_facts(path: Path, limits: Limits) -> Facts:
    """Return `{"pages": n}` of an OFD file; refuses a package without the parts that GB/T 33190 asks for."""
    return _in_package(path, limits, _ofd)


def _in_package(path: Path, limits: Limits, read: Callable[[zipfile.ZipFile], Facts]) -> Facts:
    if not _starts(path, _LOCAL_HEADER):
        raise Refused(Why.OTHER_CONTENT)
    try:
        with zipfile.ZipFile(path) as package:
            _check_members(package, path.stat().st_size, limits)
            return read(package)
    except _BROKEN_XML + _BROKEN_ZIP:
        raise Refused(Why.DAMAGED) from None


def _check_members(package: zipfile.ZipFile, size: int, limits: Limits) -> None:
    """Refuse too many members, overlapping ones, passwords, names that lead elsewhere, and bombs; check every CRC."""
    members = package.infolist()
    if len(members) > limits.members or sum(member.compress_size for member in members) > size:
        raise Refused(Why.UNPACKED)
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise Refused(Why.PASSWORD)
    if any(_leads_elsewhere(member.filename) for member in members):
        raise Refused(Why.UNPACKED)
    room = limits.unpacked_bytes
    if sum(member.file_size for member in members) > room:
        raise Refused(Why.UNPACKED)
    for member in members:
        room -= _unpacked_size(package, member)
        if room < 0:
            raise Refused(Why.UNPACKED)


def _leads_elsewhere(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name


def _unpacked_size(package: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Read a member to its end, which checks its CRC and its announced size; keep none of it."""
    size = 0
    with package.open(member) as content:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
    return size


def _xml(package: zipfile.ZipFile, name: str) -> Element:
    """Parse a part, without entities and document types; ValueError for one that is larger than any honest one."""
    with package.open(name) as part:
        content = part.read(_MOST_XML + 1)
    if len(content) > _MOST_XML:
        raise ValueError(f"{name} is too large")
    return fromstring(content, forbid_dtd=True)


def _office(package: zipfile.ZipFile, kind: Kind) -> Facts:
    names = package.namelist()
    if "[Content_Types].xml" not in names:
        raise Refused(Why.OTHER_CONTENT)
    types = _content_types(package)
    if any(_MACRO.search(text) for text in (*names, *types.values())):
        raise Refused(Why.MACROS)
    wanted = f"application/vnd.openxmlformats-officedocument.{_MAIN[kind.code]}.main+xml"
    main = [name for name, content_type in types.items() if content_type == wanted]
    if not main or main[0].lstrip("/") not in names:
        raise Refused(Why.OTHER_CONTENT)
    return _office_size(package, kind, names)


def _content_types(package: zipfile.ZipFile) -> dict[str, str]:
    """Return the content type of each part that has one of its own, and of each extension."""
    root = _xml(package, "[Content_Types].xml")
    own = {part.get("PartName", ""): part.get("ContentType", "") for part in root.iter(f"{_TYPES}Override")}
    usual = {part.get("Extension", ""): part.get("ContentType", "") for part in root.iter(f"{_TYPES}Default")}
    return {**usual, **own}


def _office_size(package: zipfile.ZipFile, kind: Kind, names: list[str]) -> Facts:
    if kind.code == "xlsx":
        return {"sheets": sum(bool(_SHEET.fullmatch(name)) for name in names)}
    if kind.code == "pptx":
        return {"slides": sum(bool(_SLIDE.fullmatch(name)) for name in names)}
    if "docProps/app.xml" not in names:
        return {}
    pages = _xml(package, "docProps/app.xml").findtext(f"{_APP}Pages") or ""
    return {"pages": int(pages)} if pages.isascii() and pages.isdigit() and len(pages) < 6 else {}


def _ofd(package: zipfile.ZipFile) -> Facts:
    """Read the two parts that say what is in the file; producers before 2016 write another namespace."""
    names = package.namelist()
    if "OFD.xml" not in names:
        raise Refused(Why.OTHER_CONTENT)
    root = _xml(package, "OFD.xml")
    start = (root.findtext(".//{*}DocRoot") or "").strip().lstrip("/")
    if root.tag.rpartition("}")[2] != "OFD" or start not in names:
        raise Refused(Why.OTHER_CONTENT)
    pages = len(_xml(package, start).findall("{*}Pages/{*}Page"))
    if pages == 0:
        raise Refused(Why.NO_PAGES)
    return {"pages": pages}


# --- text ---------------------------------------------------------------------------------------------------------


def text_facts(path: Path) -> Facts:
    """Return `{"encoding": …, "lines": n, "characters": n}` of UTF-8 or GB18030 text; refuses anything else."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return {"encoding": encoding, **_counted(path, encoding)}
        except UnicodeDecodeError:
            continue
    raise Refused(Why.ENCODING)


def _counted(path: Path, encoding: str) -> Facts:
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = characters = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            if _CONTROL.search(text):
                raise Refused(Why.ENCODING)
            lines += text.count("\n")
            characters += len(text)
        decoder.decode(b"", final=True)
    return {"lines": lines, "characters": characters}


def _starts(path: Path, *beginnings: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(16).startswith(beginnings)

"""What may be handed in as evidence: the table of accepted kinds of file, and how much of each.

The page that explains uploads, the `accept` attribute of the form and the checks at intake all read this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tracker.domain.errors import Invalid
from tracker.domain.filename import extension
from tracker.domain.text import _n

MEBIBYTE = 1024**2


class Preview(StrEnum):
    """What a page can show of a file besides its name and facts."""

    IMAGE = "image"
    PAGES = "pages"
    NONE = "none"


class Family(StrEnum):
    """How the content of a file is checked."""

    IMAGE = "image"
    PDF = "pdf"
    OFFICE = "office"
    OFD = "ofd"
    TEXT = "text"


@dataclass(frozen=True)
class Kind:
    """One accepted kind of file.

    `media_type` is what it is stored and sent as. `sniffed` are the types that libmagic may see in it: containers are
    told apart by their parts, so theirs include the container. `label` is a gettext key.
    """

    code: str
    label: str
    extensions: tuple[str, ...]
    media_type: str
    sniffed: frozenset[str]
    family: Family
    preview: Preview = Preview.NONE


@dataclass(frozen=True)
class Limits:
    """How much one file may be. Bytes, pixels, pages; `unpacked_bytes` and `members` are for zip containers."""

    file_bytes: int = 50 * MEBIBYTE
    pixels: int = 60_000_000
    pages: int = 1_000
    unpacked_bytes: int = 300 * MEBIBYTE
    members: int = 5_000


_ZIP = frozenset(
    {
        "application/zip",
        "application/x-zip",
        "application/x-zip-compressed",
        "application/java-archive",
        "application/octet-stream",
    }
)
_OFFICE = "application/vnd.openxmlformats-officedocument."


def _office(code: str, label: str, media_type: str) -> Kind:
    return Kind(code, label, (code,), _OFFICE + media_type, _ZIP | {_OFFICE + media_type}, Family.OFFICE)


def _image(code: str, label: str, extensions: tuple[str, ...], *sniffed: str) -> Kind:
    return Kind(code, label, extensions, f"image/{code}", frozenset(sniffed), Family.IMAGE, Preview.IMAGE)


KINDS: Mapping[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind(
            "pdf",
            _n("PDF 文档"),
            ("pdf",),
            "application/pdf",
            frozenset({"application/pdf"}),
            Family.PDF,
            Preview.PAGES,
        ),
        _image("jpeg", _n("JPEG 图片"), ("jpg", "jpeg"), "image/jpeg"),
        _image("png", _n("PNG 图片"), ("png",), "image/png"),
        _image("webp", _n("WebP 图片"), ("webp",), "image/webp"),
        _image("heic", _n("HEIC 图片"), ("heic", "heif"), "image/heic", "image/heif"),
        _office("docx", _n("Word 文档"), "wordprocessingml.document"),
        _office("xlsx", _n("Excel 表格"), "spreadsheetml.sheet"),
        _office("pptx", _n("PowerPoint 演示文稿"), "presentationml.presentation"),
        Kind(
            "ofd",
            _n("OFD 版式文件"),
            ("ofd",),
            "application/ofd",
            _ZIP | {"application/ofd"},
            Family.OFD,
        ),
        Kind("txt", _n("纯文本"), ("txt",), "text/plain", frozenset({"text/plain"}), Family.TEXT),
    )
}

_BY_EXTENSION: Mapping[str, Kind] = {ending: kind for kind in KINDS.values() for ending in kind.extensions}

_MACROS: Mapping[str, str] = {
    **dict.fromkeys(("docm", "dotm"), "docx"),
    **dict.fromkeys(("xlsm", "xltm", "xlsb", "xlam"), "xlsx"),
    **dict.fromkeys(("pptm", "potm", "ppsm", "ppam"), "pptx"),
}
_OLD: Mapping[str, str] = {
    **dict.fromkeys(("doc", "dot", "dotx", "wps", "wpt", "rtf", "odt"), "docx"),
    **dict.fromkeys(("xls", "xlt", "xltx", "et", "ett", "csv", "ods"), "xlsx"),
    **dict.fromkeys(("ppt", "pot", "potx", "pps", "ppsx", "dps", "dpt", "odp"), "pptx"),
    **dict.fromkeys(("bmp", "gif", "tif", "tiff", "avif"), "jpg"),
    **dict.fromkeys(("ceb", "cebx", "gd", "sep", "html", "htm", "mht"), "pdf"),
}
_ARCHIVES = frozenset({"zip", "rar", "7z", "tar", "gz", "bz2", "xz", "iso"})
_FILMS = frozenset({"mp4", "mov", "avi", "mkv", "wmv", "flv", "3gp", "m4v", "mp3", "m4a", "wav", "amr", "aac"})


def kind_of(name: str) -> Kind:
    """Return the kind that the extension of a clean name announces; raises Invalid on `files` for any other."""
    ending = extension(name)
    if ending in _BY_EXTENSION:
        return _BY_EXTENSION[ending]
    sentence, values = _refusal(ending)
    raise Invalid(sentence, field="files", name=name, **values)


def accept_attribute() -> str:
    """Return the value of the `accept` attribute of a file field: every accepted extension, with its dot."""
    return ",".join(f".{ending}" for ending in _BY_EXTENSION)


def accepted_endings() -> str:
    """Return the accepted extensions as they stand in a sentence."""
    return "、".join(_BY_EXTENSION)


def _refusal(ending: str) -> tuple[str, dict[str, object]]:
    if ending in _MACROS:
        return _n("《%(name)s》含宏，请另存为 %(wanted)s 后再上传。"), {"wanted": _MACROS[ending]}
    if ending in _OLD:
        return _n("《%(name)s》的格式不能上传，请另存为 %(wanted)s 后再上传。"), {"wanted": _OLD[ending]}
    if ending in _ARCHIVES:
        return _n("《%(name)s》是压缩包，请解压后逐个上传其中的文件。"), {}
    if ending in _FILMS:
        return _n("《%(name)s》是音视频，不需要上传；请改用照片或文字记录。"), {}
    return _n("《%(name)s》的格式不能上传。可以上传：%(endings)s。"), {"endings": accepted_endings()}

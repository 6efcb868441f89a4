"""Sample files of every accepted kind, the same bytes at every run: for the demonstration city and for tests."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import pikepdf
import pillow_heif
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

# Where Debian's fonts-noto-cjk and fonts-lxgw-wenkai put a Chinese font; without one, what is drawn is not Chinese.
_FONTS = (
    Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    Path("/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc"),
    Path("/usr/share/fonts/truetype/lxgw-wenkai/LXGWWenKai-Regular.ttf"),
)
_STAMP = (2026, 1, 1, 0, 0, 0)
_TAKEN = date(2026, 3, 5)
_PAGE = (1240, 1754)  # A4 at 150 dots an inch

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006"
_OFFICE = "application/vnd.openxmlformats-officedocument"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_SHOW = "http://schemas.openxmlformats.org/presentationml/2006/main"
_OFD = "http://www.ofdspec.org/2016"


def sample_jpeg(
    seed: int, *, gps: bool = False, taken_on: date = _TAKEN, caption: str = "", size: tuple[int, int] = (640, 480)
) -> bytes:
    """Return a photo as a phone makes it, with EXIF (maker, day, orientation), and the place if `gps`.

    `caption` is drawn on it, so that nobody takes a sample for a record.
    """
    target = io.BytesIO()
    photo = _picture(seed, size)
    if caption:
        ImageDraw.Draw(photo).text((24, size[1] - 56), caption, "white", _font(28), stroke_width=2, stroke_fill="black")
    photo.save(target, "JPEG", quality=85, exif=_exif(taken_on, gps=gps))
    return target.getvalue()


def sample_webp(seed: int, *, gps: bool = False, taken_on: date = _TAKEN) -> bytes:
    """Return a WebP picture with EXIF, and the place if `gps`."""
    target = io.BytesIO()
    _picture(seed, (480, 360)).save(target, "WEBP", lossless=True, exif=_exif(taken_on, gps=gps).tobytes())
    return target.getvalue()


def sample_png(seed: int, *, gps: bool = False, taken_on: date = _TAKEN) -> bytes:
    """Return a screen shot with EXIF and XMP, both with the place if `gps`."""
    target = io.BytesIO()
    notes = PngInfo()
    notes.add_itxt("XML:com.adobe.xmp", sample_xmp(gps=gps))
    _picture(seed, (480, 360)).save(target, "PNG", pnginfo=notes, exif=_exif(taken_on, gps=gps))
    return target.getvalue()


def sample_heic(seed: int, *, gps: bool = False, taken_on: date = _TAKEN) -> bytes:
    """Return a HEIC photo with EXIF and XMP, both with the place if `gps`."""
    target = io.BytesIO()
    heif = pillow_heif.from_pillow(_picture(seed, (480, 360)))
    heif.save(
        target,
        quality=80,
        exif=_exif(taken_on, gps=gps).tobytes(),
        xmp=sample_xmp(gps=gps).encode(),
        enc_params={"x265:pools": "none", "x265:frame-threads": "1", "preset": "ultrafast"},
    )
    return target.getvalue()


def sample_xmp(*, gps: bool) -> str:
    """Return an XMP packet that says who made a picture, and where if `gps`."""
    place = ' exif:GPSLatitude="43,53.1N" exif:GPSLongitude="125,19.4E"' if gps else ""
    city = "<photoshop:City>长春</photoshop:City>" if gps else ""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
        ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        f' xmp:CreatorTool="Sample"{place}>{city}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )


def sample_pdf(title: str, lines: Sequence[str], *, pages: int = 1) -> bytes:
    """Return a PDF of A4 pages that look scanned: title and lines on each, no text layer."""
    pdf = pikepdf.new()
    for number in range(1, pages + 1):
        pdf.add_blank_page(page_size=(595, 842))
        _fill_page(pdf, pdf.pages[-1], _sheet(title, [*lines, f"— {number} —"]))
    target = io.BytesIO()
    pdf.save(target, deterministic_id=True)
    return target.getvalue()


def sample_docx(title: str, lines: Sequence[str]) -> bytes:
    """Return a Word document: the title and one paragraph a line."""
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f"<w:p><w:r><w:t>{escape(line)}</w:t></w:r></w:p>" for line in (title, *lines))
    parts = {"word/document.xml": f'<w:document xmlns:w="{space}"><w:body>{body}<w:sectPr/></w:body></w:document>'}
    return _office(parts, {"word/document.xml": f"{_OFFICE}.wordprocessingml.document.main+xml"})


def sample_xlsx(title: str, rows: Iterable[Sequence[str]]) -> bytes:
    """Return an Excel workbook with one sheet of that title."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = "".join("<row>" + "".join(_cell(value) for value in row) + "</row>" for row in rows)
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{_DOCUMENT}/relationships"><sheets>'
        f'<sheet name="{escape(title)[:31]}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{space}"><sheetData>{cells}</sheetData></worksheet>',
        "xl/_rels/workbook.xml.rels": _relations(("worksheet", "worksheets/sheet1.xml")),
    }
    types = {
        "xl/workbook.xml": f"{_OFFICE}.spreadsheetml.sheet.main+xml",
        "xl/worksheets/sheet1.xml": f"{_OFFICE}.spreadsheetml.worksheet+xml",
    }
    return _office(parts, types)


def sample_pptx(title: str, lines: Sequence[str]) -> bytes:
    """Return a presentation of one slide: the title and the lines in one text box."""
    spaces = f'xmlns:a="{_DRAWING}" xmlns:r="{_DOCUMENT}/relationships" xmlns:p="{_SHOW}"'
    empty = _tree("")
    parts = {
        "ppt/presentation.xml": f"<p:presentation {spaces}><p:sldMasterIdLst>"
        '<p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
        '<p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst>'
        '<p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>',
        "ppt/_rels/presentation.xml.rels": _relations(
            ("slideMaster", "slideMasters/slideMaster1.xml"), ("slide", "slides/slide1.xml")
        ),
        "ppt/slideMasters/slideMaster1.xml": f"<p:sldMaster {spaces}>{empty}{_COLOURS}"
        '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>',
        "ppt/slideMasters/_rels/slideMaster1.xml.rels": _relations(
            ("slideLayout", "../slideLayouts/slideLayout1.xml"), ("theme", "../theme/theme1.xml")
        ),
        "ppt/slideLayouts/slideLayout1.xml": f'<p:sldLayout {spaces} type="blank">{empty}</p:sldLayout>',
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": _relations(("slideMaster", "../slideMasters/slideMaster1.xml")),
        "ppt/slides/slide1.xml": f"<p:sld {spaces}>{_tree(_text_box((title, *lines)))}</p:sld>",
        "ppt/slides/_rels/slide1.xml.rels": _relations(("slideLayout", "../slideLayouts/slideLayout1.xml")),
        "ppt/theme/theme1.xml": _theme(),
    }
    types = {
        "ppt/presentation.xml": f"{_OFFICE}.presentationml.presentation.main+xml",
        "ppt/slideMasters/slideMaster1.xml": f"{_OFFICE}.presentationml.slideMaster+xml",
        "ppt/slideLayouts/slideLayout1.xml": f"{_OFFICE}.presentationml.slideLayout+xml",
        "ppt/slides/slide1.xml": f"{_OFFICE}.presentationml.slide+xml",
        "ppt/theme/theme1.xml": f"{_OFFICE}.theme+xml",
    }
    return _office(parts, types)


def sample_ofd(title: str, lines: Sequence[str]) -> bytes:
    """Return an OFD document of one A4 page after GB/T 33190: the title and the lines in a Song font."""
    objects = "".join(
        f'<ofd:TextObject ID="{10 + n}" Boundary="25 {25 + 12 * n} 160 10" Font="3" Size="6">'
        f'<ofd:TextCode X="0" Y="6" DeltaX="g {max(1, len(line) - 1)} 6">{escape(line)}</ofd:TextCode></ofd:TextObject>'
        for n, line in enumerate((title, *lines))
    )
    area = "<ofd:PageArea><ofd:PhysicalBox>0 0 210 297</ofd:PhysicalBox></ofd:PageArea>"
    space = f'xmlns:ofd="{_OFD}"'
    return _zip(
        {
            "OFD.xml": f'{_HEAD}<ofd:OFD {space} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo>'
            "<ofd:DocID>00000000000000000000000000000001</ofd:DocID></ofd:DocInfo>"
            "<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>",
            "Doc_0/Document.xml": f"{_HEAD}<ofd:Document {space}><ofd:CommonData>"
            f"<ofd:MaxUnitID>99</ofd:MaxUnitID>{area}"
            "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes></ofd:CommonData><ofd:Pages>"
            '<ofd:Page ID="1" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages></ofd:Document>',
            "Doc_0/PublicRes.xml": f'{_HEAD}<ofd:Res {space} BaseLoc="Res"><ofd:Fonts>'
            '<ofd:Font ID="3" FontName="宋体" FamilyName="宋体"/></ofd:Fonts></ofd:Res>',
            "Doc_0/Pages/Page_0/Content.xml": f"{_HEAD}<ofd:Page {space}>{area}<ofd:Content>"
            f'<ofd:Layer ID="2">{objects}</ofd:Layer></ofd:Content></ofd:Page>',
        }
    )


def sample_txt(lines: Iterable[str], *, encoding: str = "utf-8") -> bytes:
    """Return the lines as Windows writes them, in UTF-8 or the encoding given."""
    return "".join(f"{line}\r\n" for line in lines).encode(encoding)


# --- pictures -----------------------------------------------------------------------------------------------------


def _picture(seed: int, size: tuple[int, int]) -> Image.Image:
    """A meeting room as coloured blocks: flat enough to stay small, different for every seed."""
    chance = random.Random(seed)  # noqa: S311  the same picture every time is what is wanted
    image = Image.new("RGB", size, tuple(chance.randrange(150, 230) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = chance.randrange(size[0]), chance.randrange(size[1])
        box = left, top, left + chance.randrange(20, 160), top + chance.randrange(20, 120)
        draw.rectangle(box, fill=tuple(chance.randrange(256) for _ in range(3)))
    return image


def _exif(taken_on: date, *, gps: bool) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Sample Camera Works"
    exif[0x0110] = "Model One"
    exif[0x0112] = 1
    exif.get_ifd(0x8769).update({0x9003: f"{taken_on:%Y:%m:%d} 09:30:00", 0x829A: (1, 125), 0x8827: 200})
    if gps:
        exif.get_ifd(0x8825).update(
            {1: "N", 2: (43.0, 53.0, 6.0), 3: "E", 4: (125.0, 19.0, 24.0), 29: f"{taken_on:%Y:%m:%d}"}
        )
    return exif


def _sheet(title: str, lines: Sequence[str]) -> Image.Image:
    sheet = Image.new("L", _PAGE, 255)
    draw = ImageDraw.Draw(sheet)
    draw.text((160, 180), title, fill=0, font=_font(52))
    for number, line in enumerate(lines):
        draw.text((160, 320 + 60 * number), line, fill=0, font=_font(34))
    return sheet.point(lambda level: 255 if level > 127 else 0).convert("1")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    font = next((path for path in _FONTS if path.exists()), None)
    return ImageFont.truetype(font, size) if font else ImageFont.load_default(size)


def _fill_page(pdf: pikepdf.Pdf, page: pikepdf.Page, sheet: Image.Image) -> None:
    picture = pdf.make_stream(
        sheet.tobytes(),
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=sheet.width,
        Height=sheet.height,
        ColorSpace=pikepdf.Name.DeviceGray,
        BitsPerComponent=1,
    )
    page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Sheet=picture))
    page.obj.Contents = pdf.make_stream(b"q 595 0 0 842 0 0 cm /Sheet Do Q")


# --- packages -----------------------------------------------------------------------------------------------------


def _zip(parts: Mapping[str, str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as package:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, _STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, content)
    return target.getvalue()


def _office(parts: Mapping[str, str], types: Mapping[str, str]) -> bytes:
    """Return an Office package of the parts; the first of `types` is the one that the package opens with."""
    overrides = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in types.items())
    content_types = (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{overrides}</Types>"
    )
    first = next(iter(types))
    whole = {name: content if content.startswith("<?xml") else _HEAD + content for name, content in parts.items()}
    return _zip({"[Content_Types].xml": content_types, "_rels/.rels": _relations(("officeDocument", first)), **whole})


def _relations(*targets: tuple[str, str]) -> str:
    lines = "".join(
        f'<Relationship Id="rId{n}" Type="{_DOCUMENT}/relationships/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'


def _cell(value: str) -> str:
    return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'


_COLOURS = (
    '<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3"'
    ' accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>'
)


def _tree(shapes: str) -> str:
    return (
        '<p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
        f"{shapes}</p:spTree></p:cSld>"
    )


def _text_box(lines: Iterable[str]) -> str:
    paragraphs = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in lines)
    return (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm>'
        '<a:off x="685800" y="685800"/><a:ext cx="7772400" cy="5486400"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>'
        f"</a:prstGeom></p:spPr><p:txBody><a:bodyPr/><a:lstStyle/>{paragraphs}</p:txBody></p:sp>"
    )


def _theme() -> str:
    names = ("dk1", "lt1", "dk2", "lt2", *(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink")
    shades = ("000000", "FFFFFF", "1F3864", "F2F2F2", *("7F7F7F",) * 6, "0000FF", "800080")
    colours = "".join(
        f'<a:{name}><a:srgbClr val="{shade}"/></a:{name}>' for name, shade in zip(names, shades, strict=True)
    )
    font = '<a:latin typeface="Arial"/><a:ea typeface="宋体"/><a:cs typeface=""/>'
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="9525">{fill}</a:ln>'
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        f'<a:theme xmlns:a="{_DRAWING}" name="Plain"><a:themeElements><a:clrScheme name="Plain">{colours}</a:clrScheme>'
        f'<a:fontScheme name="Plain"><a:majorFont>{font}</a:majorFont><a:minorFont>{font}</a:minorFont></a:fontScheme>'
        f'<a:fmtScheme name="Plain"><a:fillStyleLst>{fill * 3}</a:fillStyleLst><a:lnStyleLst>{line * 3}</a:lnStyleLst>'
        f"<a:effectStyleLst>{effect * 3}</a:effectStyleLst><a:bgFillStyleLst>{fill * 3}</a:bgFillStyleLst>"
        "</a:fmtScheme></a:themeElements></a:theme>"
    )

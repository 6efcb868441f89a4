"""Parts to bind, laid out once per run by a process of its own with a small prepared set of fonts.

`python -m tests.reporting.volumes FOLDER` is that process: what the engine reads from its environment stays there.
"""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.reporting.printed import Printed
from tracker.config import CHECKOUT
from tracker.reporting.binding import Part, bind
from tracker.reporting.fonts import FontSet, load_fonts, prepare_fonts
from tracker.reporting.plates import Plate, plates

MOMENT = datetime(2026, 11, 20, 9, 30, 5, tzinfo=UTC)
CHARACTERS = frozenset(
    map(
        ord,
        "督查卷第页共校验码单位一二三四五六七八九十目录正文项目情况见表图外卷会议记录宽学习安排青溪湖管理局年季度佐证文件…",
    )
)
ORDER = ["目录", "甲乙", "丙丁"]

_STYLE = """
@page { size: A4; margin: 37mm 26mm 35mm 28mm } @page wide { size: A4 landscape; margin: 28mm 37mm 26mm 35mm }
html { font: 16pt/28.95pt %(fangsong)s } h1 { font: bold 22pt/34pt %(biaosong)s; bookmark-level: 1 }
h2 { font: 16pt/28pt %(heiti)s; bookmark-level: 2 } table { font: 10.5pt/15pt %(song)s; table-layout: fixed }
.wide { page: wide } .next { break-before: page } img { image-rendering: crisp-edges; width: 80mm; height: 60mm }
i { font: 12pt/20pt %(kaiti)s }
"""
_TABLE = "<table id=table><tr><th>项目</th><th>情况</th></tr><tr><td>%s</td><td>%s</td></tr></table>"


@dataclass(frozen=True)
class Volume:
    """A folder with the parts, the fonts they are set in, and the book that was bound of them."""

    folder: Path
    fonts: FontSet
    parts: list[Part]

    @property
    def book(self) -> Path:
        return self.folder / "book.pdf"

    def bind_to(self, target: Path) -> list[tuple[int, int, bool]]:
        """Bind the parts; return of each page its part, its place in it, and whether it is wide."""
        pages = bind(self.parts, target, title="督查卷", language="zh-CN", created=MOMENT, identifier="DC-1")
        return [(page.part, page.page, page.width > page.height) for page in pages]


@cache
def volume() -> Volume:
    """The parts: contents, two units of the same make, and plates; bound into a book."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-volume-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fonts = prepare_fonts(folder / "fonts", characters=CHARACTERS)
    environment = {**os.environ, "FONTCONFIG_FILE": str(fonts.config_file)}
    subprocess.run([sys.executable, "-m", __name__, folder], cwd=CHECKOUT, env=environment, check=True)
    plates([Plate(jpeg=path, alt=f"图{number}") for number, path in enumerate(pictures(folder))], folder / "plates.pdf")
    parts = [
        Part(pdf=folder / "front.pdf", anchor="front", title="目录"),
        Part(pdf=folder / "one.pdf", anchor="one", title="单位一"),
        Part(pdf=folder / "two.pdf", anchor="two", title="单位二"),
        Part(pdf=folder / "plates.pdf", anchor="plates", title="佐证", depth=1),
    ]
    made = Volume(folder, fonts, parts)
    made.bind_to(made.book)
    return made


def printed(path: Path) -> Printed:
    return Printed(path)


def pictures(folder: Path) -> list[Path]:
    """An upright, a wide, a small and a grey picture, as JPEG files."""
    ramp = Image.linear_gradient("L")
    made = {
        "upright": ramp.resize((900, 1200)).convert("RGB"),
        "wide": ramp.resize((1600, 900)).convert("RGB"),
        "small": ramp.resize((120, 96)).convert("RGB"),
        "grey": ramp.resize((800, 800)),
    }
    for name, image in made.items():
        image.save(folder / f"{name}.jpg", quality=80)
    return [folder / f"{name}.jpg" for name in made]


def _lay_out(folder: Path) -> None:
    from weasyprint import HTML  # noqa: PLC0415 -- the tests' own process never loads it

    fonts = load_fonts(folder / "fonts")
    bytes_ = BytesIO()
    Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(bytes_, "JPEG")
    picture = f'<img alt="图" src="data:image/jpeg;base64,{base64.b64encode(bytes_.getvalue()).decode()}">'
    for name, body in _bodies(picture).items():
        head = f'<title>{name}</title><meta name="dcterms.created" content="2026-11-20T17:30:05+08:00">'
        html = (
            f'<html lang="zh-CN"><head>{head}<style>{_STYLE % fonts.families}</style></head><body>{body}</body></html>'
        )
        pdf = HTML(string=html).write_pdf(pdf_variant="pdf/a-3a", output_intent="srgb", pdf_identifier=name.encode())
        (folder / f"{name}.pdf").write_bytes(pdf)


def _bodies(picture: str) -> dict[str, str]:
    link = '<p><a href="https://packet.invalid/#{0}">见{1}</a></p>'
    links = [("one", "单位一"), ("two", "单位二"), ("plates+1", "图二"), ("elsewhere", "外卷")]
    unit = (
        "<h1>{0}</h1><p>{1}</p><p><a href=#table>见表</a></p><i>会议记录{1}</i>{2}"
        "<h2 class=next>项目{1}</h2>{3}<div class=wide><h2>宽表</h2><p>{1}</p></div>"
    )
    return {
        "front": "<h1>目录</h1>" + "".join(link.format(*pair) for pair in links),
        "one": unit.format("单位一", "学习安排一二三é", picture, _TABLE % ("一二", "三四")),
        "two": unit.format("单位二", "学习情况四五六ü", picture, _TABLE % ("五六", "七八")),
    }


if __name__ == "__main__":
    _lay_out(Path(sys.argv[1]))

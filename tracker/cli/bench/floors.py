"""What packets are measured against: Chromium, WeasyPrint as it comes, and Typst, each given the same content."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from tracker.cli.bench.folder import Bench
from tracker.cli.bench.measure import BenchError, Run, run
from tracker.cli.bench.typst_source import typst_source
from tracker.domain.packet_parts import ContentsLine, FrontPart, PacketValues, PartValues, ReportPart, VerificationPart
from tracker.reporting.compose import Composer, title_of
from tracker.tasks.documents import TEMPLATES

CHROMIUM = "chromium"
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)
_BODY = re.compile(r"<body>(.*)</body>", re.DOTALL)
_PAGE = '<section class="new-page part">{}</section>'
_PICTURE = '<img src="{}" style="width: 100%" />'
_JOINED = (
    '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8" /><title>{title}</title>'
    "<style>{css}</style></head><body>{body}</body></html>"
)


_WANTED = {
    "chromium": "chromium is missing; it is Debian's package `chromium`",
    "qpdf": "qpdf is missing; it is Debian's package `qpdf`",
    "typst": "Typst is missing; it is PyPI's package `typst`",
}


def demand_engines(names: Iterable[str]) -> None:
    """Raise BenchError naming the package, where an engine to measure against is missing."""
    for name in sorted(set(names)):
        if (find_spec(name) if name == "typst" else shutil.which(name)) is None:
            raise BenchError(_WANTED[name])


def parts_of(values: PacketValues) -> list[PartValues]:
    """Everything that a packet prints, in its order; the page numbers in its contents are guessed."""
    facts = values.facts
    lines = tuple(
        ContentsLine(title=title_of(part, str), depth=1, page=2 + 8 * number, anchor=f"part-{number + 1}")
        for number, part in enumerate(values.body)
    )
    front = FrontPart(
        title=facts.title,
        number=facts.number,
        units=values.units,
        period=values.period,
        issuer=values.issuer,
        as_of=facts.as_of,
        contents=lines,
    )
    end = VerificationPart(
        number=facts.number, provenance=values.provenance, records=len(values.evidence), files=len(facts.evidence)
    )
    return [front, *values.body, *values.evidence, end]


def _without_exif(photograph: Path, folder: Path) -> Path:
    """A copy of a JPEG that says of no turn, its dots untouched: Chromium unpacks what it turns, and ends at forty."""
    copy = folder / f"{photograph.name}.jpg"
    with Image.open(photograph) as image:
        image.save(copy, "JPEG", quality="keep", exif=b"")
    return copy


class Floors:
    """The other engines, given content that our own templates composed."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.composer = Composer(translate=str, fonts=bench.fonts, templates=TEMPLATES)

    def html(self, parts: Iterable[PartValues], *, pictures: Sequence[Path] = ()) -> tuple[str, str]:
        """The parts as one HTML body, each on a new page, then a page for each picture; and their style sheet."""
        made = [self.composer.part(part) for part in parts]
        bodies = [_PAGE.format(found[1]) for each in made if (found := _BODY.search(each.html))]
        bodies += [_PAGE.format(_PICTURE.format(_without_exif(path, self.bench.root).as_uri())) for path in pictures]
        return "\n".join(bodies), made[0].css

    def chromium(self, name: str, parts: Iterable[PartValues], *, pictures: Sequence[Path] = ()) -> Run:
        """Print the parts with Chromium, from one HTML."""
        body, css = self.html(parts, pictures=pictures)
        source, target = self.bench.root / f"{name}.html", self.bench.root / f"{name}-chromium.pdf"
        source.write_text(_JOINED.format(title=name, css=css, body=body), "utf-8")
        profile = self.bench.root / "chromium"
        shutil.rmtree(profile, ignore_errors=True)
        command = [CHROMIUM, *CHROMIUM_FLAGS, f"--user-data-dir={profile}", f"--print-to-pdf={target}", source.as_uri()]
        target.unlink(missing_ok=True)
        done = run(command, environment=self.bench.environment, folder=self.bench.root)
        if not target.is_file():
            raise BenchError("chromium wrote no PDF")
        return replace(done, told={"size": target.stat().st_size})

    def weasyprint(self, name: str, parts: Iterable[PartValues], *, naive: bool) -> Run:
        """Print the parts with WeasyPrint in one pass: `naive`, with auto tables, or as PDF/A with heads."""
        printed = list(parts)
        body, css = self.html(printed)
        if naive:
            css = css.replace("table-layout: fixed", "table-layout: auto")
        else:
            report = next(part.report for part in printed if isinstance(part, ReportPart))
            css = f"{self.composer.document(report).css}\n{css}"
        source = self.bench.root / f"{name}-weasyprint.html"
        source.write_text(_JOINED.format(title=name, css=css, body=body), "utf-8")
        target = self.bench.root / f"{name}-weasyprint.pdf"
        return self.bench.script("plain.py", str(source), str(target), "naive" if naive else "archival")

    def merge(self, name: str, pdfs: Sequence[Path]) -> Run:
        """Merge PDFs behind what Chromium printed under this name, with qpdf."""
        printed, target = (self.bench.root / f"{name}-{end}.pdf" for end in ("chromium", "merged"))
        command: list[str | Path] = ["qpdf", "--empty", "--pages", printed, *pdfs, "--", target]
        return run(command, environment=self.bench.environment, folder=self.bench.root)

    def typst(self, name: str, parts: Sequence[PartValues]) -> Run:
        """Print the parts with Typst; it tells the seconds of its call, without those of its process."""
        source = self.bench.root / f"{name}.typ"
        source.write_text(typst_source(self.html(parts)[0], self.bench.fonts.families), "utf-8")
        return self.bench.script("ceiling.py", str(self.bench.fonts.directory), str(source))

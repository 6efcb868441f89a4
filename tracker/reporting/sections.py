"""The parts of a packet as sections that are laid out once: what goes into one, and the digest that tells them apart.

A digest is taken of values, templates, fonts and program, never of what is composed of them: an unchanged section
costs well under a millisecond.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import pickle
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tracker.domain.packet_parts import EvidencePart, PartValues, QuarterPart, ReportPart
from tracker.domain.report import Provenance
from tracker.reporting.compose import title_of
from tracker.reporting.worker import CHINESE, Setting

PROGRAM = Path(__file__).parents[1]
_PACKAGES = ("weasyprint", "pydyf", "fonttools", "tinycss2", "tinyhtml5", "cssselect2", "jinja2")
_LIBRARIES = (("libpango-1.0.so.0", "pango_version_string"), ("libharfbuzz-subset.so.0", "hb_version_string"))

# A part does not print where its figures come from, the page of verification does: a new as-of time alone changes
# no part, so none is laid out again for it.
_NOWHERE = Provenance(
    as_of=datetime(2000, 1, 1, tzinfo=UTC),
    checklist_key="",
    checklist_title="",
    checklist_version="",
    checklist_digest="",
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a packet in one language (`zh-CN`, or one that has a catalogue)."""

    values: PartValues
    language: str = CHINESE

    @property
    def name(self) -> str:
        """What a failure calls it."""
        return title_of(self.values, str)

    def pickled(self) -> bytes:
        """Return the values that are printed, as bytes that are equal for equal values."""
        content = io.BytesIO()
        pickler = pickle.Pickler(content, protocol=5)
        pickler.fast = True  # no memo: it would tell a text that is one object from the same text twice
        pickler.dump(_printed(self.values))
        return content.getvalue()


def key_of(section: Section, pickled: bytes, recipe: str) -> str:
    """Return the SHA-256 (hex) over everything that goes into a section; `recipe` is that of its language."""
    return hashlib.sha256(f"{recipe} {section.language} ".encode() + pickled).hexdigest()


def recipe_of(setting: Setting, language: str) -> str:
    """Return a digest (hex) over all that sections are made with beside their values: fonts, templates, program."""
    total = hashlib.sha256()
    for word in (*_versions(), *_fonts(setting)):
        total.update(f"{word}\0".encode())
    for path in _sources(setting, language):
        content = path.read_bytes()
        total.update(f"{path.name} {len(content)}\0".encode() + content)
    return total.hexdigest()


def _printed(values: PartValues) -> PartValues:
    """Return the values without what the part does not print."""
    match values:
        case ReportPart():
            return replace(values, report=replace(values.report, provenance=_NOWHERE))
        case QuarterPart():
            return replace(values, report=replace(values.report, provenance=_NOWHERE))
        case EvidencePart():
            return replace(values, entry=replace(values.entry, files=()))
        case _:
            return values


def _sources(setting: Setting, language: str) -> Iterable[Path]:
    yield from sorted(setting.templates.iterdir())
    for layer in ("domain", "reporting"):
        yield from sorted((PROGRAM / layer).glob("*.py"))
    if language != CHINESE:
        yield setting.translations / language / "LC_MESSAGES" / "messages.mo"


def _versions() -> Iterable[str]:
    for package in _PACKAGES:
        yield f"{package} {version(package)}"
    for library, function in _LIBRARIES:
        ask = getattr(ctypes.CDLL(library), function)
        ask.restype = ctypes.c_char_p
        yield f"{library} {ask().decode()}"


def _fonts(setting: Setting) -> Iterable[str]:
    fonts = setting.fonts
    yield from fonts.names
    yield from (f"{role} {chain}" for role, chain in sorted(fonts.families.items()))
    for path in sorted(fonts.directory.glob("*.ttf")):
        yield f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}"

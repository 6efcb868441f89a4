"""The fonts that documents are printed with: found on this machine, prepared once, and checked for every character.

No font is part of the program. The prepared set lies in one folder with its own fontconfig file and cache, so that a
document looks the same on every machine; until it is prepared, the Noto collections of the system serve.
"""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tracker.reporting import outlines

RECIPE = 2  # raise it when the prepared files would come out different
DATA = Path(__file__).parent / "data"
MANIFEST = "fonts.json"
SYSTEM_FOLDERS = (
    Path(sys.prefix) / "share/fonts",
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/usr/share/texlive/texmf-dist/fonts/opentype/public/fandol"),
)
SYMBOLS = (
    "°±×÷·¼½¾²³µ§©®–—―‘’“”†‡•…‰′″‹›※€℃℅№℡™ΩⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫ←↑→↓↔⇒∈∏∑√∝∞∠∥∧∨∩∪∫∴∵∽≈≌≠≡≤≥≮≯⊙⊥⌒"
    "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽─│┌┐└┘├┤┬┴┼█▌░▒▓■□▲△▶▼▽◆◇○◎●◐★☆☐☑☒♀♂✓✔✗✘"
    "　、。〃々〇〈〉《》「」『』【】〒〓〔〕〖〗㈠㈡㈢㈣㈤㈥㈦㈧㈨㈩㎎㎏㎜㎝㎞㎡㏄￥￡"
)

Progress = Callable[[int, int, str], None]


class FontError(Exception):
    """This machine has no font that can print a document, or a font that was named cannot be used."""


@dataclass(frozen=True)
class Face:
    """One font of the set: the system's file, the family in it, and whether documents can do without it."""

    source: str
    family: str
    target: str
    whole: bool = False
    optional: bool = False


FACES = (
    Face("FandolFang-Regular.otf", "FandolFang", "fangsong.ttf", optional=True),
    Face("NotoSerifCJK-Regular.ttc", "Noto Serif CJK SC", "song.ttf"),
    Face("NotoSerifCJK-Bold.ttc", "Noto Serif CJK SC", "song-bold.ttf"),
    Face("NotoSansCJK-Regular.ttc", "Noto Sans CJK SC", "hei.ttf"),
    Face("NotoSansCJK-Bold.ttc", "Noto Sans CJK SC", "hei-bold.ttf"),
    Face("LXGWWenKai-Regular.ttf", "LXGW WenKai", "kai.ttf", optional=True),
    Face("LXGWWenKaiMono-Regular.ttf", "LXGW WenKai Mono", "last-resort.ttf", whole=True, optional=True),
    Face("DejaVuSans.ttf", "DejaVu Sans", "symbols.ttf", whole=True, optional=True),
)
LAST_RESORT = ("Noto Serif CJK SC", "Noto Sans CJK SC", "LXGW WenKai Mono", "DejaVu Sans")
ROLES: Mapping[str, tuple[str, ...]] = {
    "fangsong": ("FandolFang", "LXGW WenKai", *LAST_RESORT),
    "kaiti": ("LXGW WenKai", *LAST_RESORT),
    "heiti": ("Noto Sans CJK SC", *LAST_RESORT),
    "biaosong": ("Noto Serif CJK SC", *LAST_RESORT),
    "song": ("Noto Serif CJK SC", *LAST_RESORT),
}


@dataclass(frozen=True)
class FontSet:
    """The fonts of one folder, ready to print with.

    `config_file` goes into FONTCONFIG_FILE before the layout engine starts. `families` gives for each role (fangsong,
    kaiti, heiti, biaosong, song) a CSS font-family value with its fall-backs; biaosong is meant in bold. `names` are
    family, style and version of each font, for the verification page. `coverage` holds every code point that some
    font of the set draws; each chain reaches them all. `is_prepared` is False while the system's collections serve.
    """

    directory: Path
    config_file: Path
    families: Mapping[str, str]
    names: tuple[str, ...]
    coverage: frozenset[int]
    is_prepared: bool


def common_characters() -> str:
    """Return the 8,105 characters of the 通用规范汉字表, in its order."""
    return _characters_in("tongyong-guifan-hanzi.txt")


def rare_name_characters() -> str:
    """Return characters of people's and places' names that many fonts lack; the set must print every one of them."""
    return _characters_in("rare-name-characters.txt")


def wanted_characters() -> frozenset[int]:
    """Return the code points that each prepared font keeps: the two lists, GB 2312, Latin letters and symbols."""
    rows = (bytes((lead, trail)) for lead in range(0xA1, 0xF8) for trail in range(0xA1, 0xFF))
    gb2312 = b"".join(rows).decode("gb2312", "ignore")
    text = common_characters() + rare_name_characters() + gb2312 + SYMBOLS
    return frozenset(map(ord, text)) | frozenset(range(0x20, 0x7F)) | frozenset(range(0xA0, 0x100))


def missing_characters(text: str, coverage: frozenset[int]) -> list[str]:
    """Return the characters of `text` that no font in `coverage` draws, each once, in the order they occur.

    Line breaks, tabs and the invisible marks of Unicode (joiners, variation selectors) are not drawn and not missed.
    """
    return [character for character in dict.fromkeys(text) if ord(character) not in coverage and _is_drawn(character)]


def load_fonts(directory: Path, *, licensed: Mapping[str, Path] | None = None) -> FontSet:
    """Return the set prepared in `directory`, or else the collections of this system.

    Licensed fonts take part once the set is prepared with them. Raises FontError where the system has no Chinese font.
    """
    manifest = _read_manifest(directory)
    if manifest is None or manifest["licensed"] != _licensed_key(licensed or {}):
        return _system_fonts(directory)
    return _prepared_set(directory, manifest)


def prepare_fonts(
    directory: Path,
    *,
    licensed: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
    characters: frozenset[int] | None = None,
) -> FontSet:
    """Make the small set in `directory`, unless it is there already; return it.

    `licensed` names a font file of the operator's own for a role; it comes first in that role's chain. `progress` is
    called with fonts done, fonts in all, and the family just finished. `characters` narrows what each font keeps.
    Several processes may ask at once: one works, the others wait. Raises FontError for a font that cannot be used.
    """
    licensed = licensed or {}
    characters = wanted_characters() if characters is None else characters
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory / "lock"):
        jobs = [*_licensed_jobs(directory, licensed), *_system_jobs(directory, characters)]
        key = _key(jobs, characters)
        manifest = _read_manifest(directory)
        if manifest is None or manifest["key"] != key or manifest["licensed"] != _licensed_key(licensed):
            manifest = {**_make(jobs, progress), "key": key, "licensed": _licensed_key(licensed)}
            _write(directory / MANIFEST, json.dumps(manifest, ensure_ascii=False))
    return _prepared_set(directory, manifest)


@dataclass(frozen=True)
class _Job:
    """One font to make: from which file and family, to which file, for which role it was licensed, what it keeps."""

    source: Path
    target: Path
    family: str = ""
    role: str = ""
    characters: frozenset[int] | None = None


@dataclass(frozen=True)
class _Made:
    """What came of a job."""

    family: str
    title: str
    codes: frozenset[int]


def _system_jobs(directory: Path, characters: frozenset[int]) -> Iterator[_Job]:
    for face in FACES:
        source = _find(face.source)
        if source is not None:
            kept = None if face.whole else characters
            yield _Job(source, directory / face.target, family=face.family, characters=kept)
        elif not face.optional:
            raise FontError(f"{face.source} is not installed; install the package fonts-noto-cjk")


def _licensed_jobs(directory: Path, licensed: Mapping[str, Path]) -> Iterator[_Job]:
    for role, source in licensed.items():
        if role not in ROLES:
            raise FontError(f"no such role of a font: {role}; the roles are {', '.join(ROLES)}")
        if not source.is_file():
            raise FontError(f"the font file for {role} is not there: {source}")
        _check_licensed(source)
        yield _Job(source, directory / f"licensed-{role}.ttf", role=role)


def _check_licensed(source: Path) -> None:
    """Raise FontError for a file that is no font, or one that may not be embedded, before any work is done."""
    try:
        with outlines.open_face(source) as font:
            permitted = outlines.may_be_embedded(font)
    except Exception as error:
        raise FontError(f"{source} is not a font that can be read: {error}") from error
    if not permitted:
        raise FontError(f"the licence of {source} forbids to embed it in documents")


def _make(jobs: list[_Job], progress: Progress | None) -> dict[str, Any]:
    """Do the jobs, one process per core; return the manifest of what was made."""
    made: dict[_Job, _Made] = {}
    workers = min(len(jobs), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(_make_font, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                made[futures[future]] = future.result()
                if progress is not None:
                    progress(len(made), len(jobs), made[futures[future]].family)
        except FontError:
            pool.shutdown(cancel_futures=True)  # one that cannot be used is told at once
            raise
    codes = frozenset[int]().union(*(font.codes for font in made.values()))
    return {
        "files": {job.target.name: job.target.stat().st_size for job in jobs},
        "families": {made[job].family: job.role for job in jobs},
        "names": [made[job].title for job in jobs],
        "coverage": _ranges(codes),
    }


def _read(path: Path, family: str) -> _Made:
    with outlines.open_face(path, family) as font:
        return _Made(outlines.family_of(font), outlines.title_of(font), outlines.characters_of(font))


def _make_font(job: _Job) -> _Made:
    """Make one font beside its place and move it there, so that a half-written one is never read."""
    beside = job.target.with_suffix(".part")
    try:
        with outlines.open_face(job.source, job.family) as font:
            codes = outlines.write_truetype(font, beside, job.characters)
            made = _Made(outlines.family_of(font), outlines.title_of(font), codes)
    except Exception as error:
        raise FontError(f"{job.source} could not be made into {job.target}: {error}") from error
    beside.replace(job.target)
    return made


def _prepared_set(directory: Path, manifest: Mapping[str, Any]) -> FontSet:
    config = directory / "fonts.conf"
    _write(config, _config([directory], directory / "cache"))
    present = list(manifest["families"])
    first = {role: family for family, role in manifest["families"].items() if role}
    families = {role: _chain([first[role]] if role in first else [], chain, present) for role, chain in ROLES.items()}
    coverage = _codes(manifest["coverage"])
    return FontSet(directory, config, families, tuple(manifest["names"]), coverage, is_prepared=True)


def _system_fonts(directory: Path) -> FontSet:
    """Return the system's own files as a set; what they draw is kept in the folder, for it takes a second to read."""
    found = {face: path for face in FACES if (path := _find(face.source)) is not None}
    present = [face.family for face in found if face.source != "FandolFang-Regular.otf"]
    if "Noto Sans CJK SC" not in present:
        raise FontError("this machine has no Chinese font; install the package fonts-noto-cjk")
    directory.mkdir(parents=True, exist_ok=True)
    folders = sorted({path.parent for face, path in found.items() if face.family in present})
    config = directory / "system-fonts.conf"
    _write(config, _config(folders, directory / "cache"))
    names, coverage = _system_contents(directory, [path for face, path in found.items() if face.family in present])
    families = {role: _chain([], chain, present) for role, chain in ROLES.items()}
    return FontSet(directory, config, families, names, coverage, is_prepared=False)


def _system_contents(directory: Path, paths: list[Path]) -> tuple[tuple[str, ...], frozenset[int]]:
    key = [_identity(path) for path in paths]
    kept = _read_json(directory / "system-fonts.json")
    if kept is None or kept.get("key") != key:
        families = {face.source: face.family for face in FACES}
        fonts = [_read(path, families[path.name]) for path in paths]
        codes = frozenset[int]().union(*(font.codes for font in fonts))
        kept = {"key": key, "names": [font.title for font in fonts], "coverage": _ranges(codes)}
        _write(directory / "system-fonts.json", json.dumps(kept, ensure_ascii=False))
    return tuple(kept["names"]), _codes(kept["coverage"])


def _chain(first: list[str], chain: Iterable[str], present: list[str]) -> str:
    """Return the font-family value: `first`, then what is there of the chain, each once."""
    families = dict.fromkeys([*first, *(family for family in chain if family in present)])
    return ", ".join('"' + family.replace("\\", "\\\\").replace('"', '\\"') + '"' for family in families)


def _config(folders: Iterable[Path], cache: Path) -> str:
    """Return a fontconfig file that knows these folders only, and of the collections only the mainland's shapes."""
    lines = ["<?xml version='1.0'?>", "<!DOCTYPE fontconfig SYSTEM 'fonts.dtd'>", "<fontconfig>"]
    lines += [f"<dir>{escape(str(folder.absolute()))}</dir>" for folder in folders]
    lines += [f"<cachedir>{escape(str(cache.absolute()))}</cachedir>", "<selectfont><rejectfont>"]
    for style in ("Sans", "Serif", "Sans Mono"):
        for region in ("JP", "KR", "TC", "HK") + (("SC",) if style == "Sans Mono" else ()):
            family = f"Noto {style} CJK {region}"
            lines.append(f"<pattern><patelt name='family'><string>{family}</string></patelt></pattern>")
    lines.append("</rejectfont></selectfont>")
    for generic, family in (("sans-serif", "Sans"), ("serif", "Serif"), ("monospace", "Sans")):
        lines.append(f"<alias><family>{generic}</family><prefer><family>Noto {family} CJK SC</family></prefer></alias>")
    return "\n".join([*lines, "</fontconfig>", ""])


def _read_manifest(directory: Path) -> dict[str, Any] | None:
    """Return what was prepared in the folder, or None where nothing was, or a file of it is gone or cut short."""
    manifest = _read_json(directory / MANIFEST)
    if manifest is None:
        return None
    sizes = {name: path.stat().st_size for name in manifest["files"] if (path := directory / name).is_file()}
    return manifest if sizes == manifest["files"] else None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content


def _write(path: Path, text: str) -> None:
    """Write `text` in one step, and only where it says something new: the folder may be read-only by then."""
    if path.is_file() and path.read_text("utf-8") == text:
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(text, "utf-8")
    beside.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _find(name: str) -> Path | None:
    found = (path for folder in SYSTEM_FOLDERS if folder.is_dir() for path in sorted(folder.rglob(name)))
    return next(found, None)


def _identity(path: Path) -> list[Any]:
    status = path.stat()
    return [str(path), status.st_size, int(status.st_mtime)]


def _licensed_key(licensed: Mapping[str, Path]) -> dict[str, str]:
    return {role: str(path) for role, path in sorted(licensed.items())}


def _key(jobs: Iterable[_Job], characters: frozenset[int]) -> list[Any]:
    """Return what the prepared files depend on; as JSON it comes back equal."""
    return [RECIPE, _ranges(characters), [[job.target.name, *_identity(job.source)] for job in jobs]]


def _ranges(codes: Iterable[int]) -> list[list[int]]:
    """Return the code points as a sorted list of [first, last]."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return ranges


def _codes(ranges: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(code for first, last in ranges for code in range(first, last + 1))


def _is_drawn(character: str) -> bool:
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return not is_selector and character not in "\n\r\t" and unicodedata.category(character) not in {"Cf", "Zl", "Zp"}


def _characters_in(name: str) -> str:
    lines = (DATA / name).read_text("utf-8").splitlines()
    return "".join(line for line in lines if not line.startswith("#"))

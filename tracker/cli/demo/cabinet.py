"""The files of the demo: samples of every accepted kind, taken in by the real intake, each of them once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO

from tracker.cli.demo import words
from tracker.domain.media import Limits
from tracker.storage import samples
from tracker.storage.intake import Accepted, take_in
from tracker.storage.store import Store

# What comes how often; every kind is among the first.
ORDER = (
    *("docx", "pdf", "jpg", "xlsx", "heic", "ofd", "png", "pptx", "txt", "webp"),
    *("docx", "pdf", "jpg", "docx", "pdf", "heic", "docx", "jpg", "pdf", "xlsx"),
)
LATE = (901, 902, 903)  # photos that are put to a record afterwards
NOTICE = "（演示样例，内容为虚构）"


def _lines(seed: int) -> list[str]:
    return [
        f"时间：2026年{seed % 10 + 1}月",
        f"地点：{words.PLACES[seed % len(words.PLACES)]}",
        f"内容：{words.WAYS[seed % len(words.WAYS)]}，{words.RESULTS[seed % len(words.RESULTS)]}。",
        NOTICE,
    ]


MAKERS: dict[str, Callable[[int], bytes]] = {
    "docx": lambda seed: samples.sample_docx("会议记录", _lines(seed)),
    "pdf": lambda seed: samples.sample_pdf("会议纪要", _lines(seed), pages=seed % 3 + 1),
    "jpg": lambda seed: samples.sample_jpeg(seed, gps=True, caption=f"演示样例 {seed}"),
    "xlsx": lambda seed: samples.sample_xlsx(
        "台账", [["序号", "内容", "进展"], ["1", words.RESULTS[seed % 8], NOTICE]]
    ),
    "heic": lambda seed: samples.sample_heic(seed, gps=True),
    "ofd": lambda seed: samples.sample_ofd("情况报告", _lines(seed)),
    "png": lambda seed: samples.sample_png(seed, gps=True),
    "pptx": lambda seed: samples.sample_pptx("学习提纲", _lines(seed)),
    "txt": lambda seed: samples.sample_txt(["工作记录", *_lines(seed)]),
    "webp": samples.sample_webp,
}


class Cabinet:
    """Samples by kind, in the store. Two are taken in at a time, since each is looked at in a process of its own."""

    def __init__(self, store: Store, *, each: int) -> None:
        wanted = [(kind, seed) for kind in MAKERS for seed in range(1, each + 1)] + [("jpg", seed) for seed in LATE]
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda one: _taken(store, *one), wanted))
        self._files: dict[str, list[Accepted]] = {kind: [] for kind in MAKERS}
        for (kind, _), accepted in zip(wanted, found, strict=True):
            self._files[kind].append(accepted)
        self._late = [self._files["jpg"].pop() for _ in LATE]
        self._next = self._endless()

    def file(self, title: str) -> Accepted:
        """The next file, under a name that begins with `title`."""
        kind, accepted = next(self._next)
        return replace(accepted, name=f"{title}.{kind}")

    def photo(self, number: int) -> Accepted:
        """A photo under the name that a phone gives."""
        found = self._files["jpg"]
        return replace(found[number % len(found)], name=f"IMG_{number:04}.jpg")

    def late_photo(self, number: int) -> Accepted:
        """A photo that no record has yet."""
        return replace(self._late[number], name=f"IMG_{6000 + number}.jpg")

    def _endless(self) -> Iterator[tuple[str, Accepted]]:
        number = 0
        while True:
            kind = ORDER[number % len(ORDER)]
            files = self._files[kind]
            yield kind, files[number // len(ORDER) % len(files)]
            number += 1


def _taken(store: Store, kind: str, seed: int) -> Accepted:
    return take_in(BytesIO(MAKERS[kind](seed)), name=f"样例{seed}.{kind}", store=store, limits=Limits())

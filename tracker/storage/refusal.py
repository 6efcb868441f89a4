"""Why a file is refused: what the checks in the child process say, and the sentence that people read."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tracker.domain.errors import Invalid, RuleError, TooLarge
from tracker.domain.text import _n


class Why(StrEnum):
    """One reason to refuse a file or not to show it."""

    EMPTY = "empty"
    OTHER_CONTENT = "other_content"
    DAMAGED = "damaged"
    HIDDEN = "hidden"
    PIXELS = "pixels"
    PAGES = "pages"
    NO_PAGES = "no_pages"
    PASSWORD = "password"  # noqa: S105  a reason, not a secret
    OLD = "old"
    MACROS = "macros"
    UNPACKED = "unpacked"
    ENCODING = "encoding"
    LOCATION = "location"
    TOO_SLOW = "too_slow"


class Refused(Exception):
    """A check says no. `values` fill the places of the sentence."""

    def __init__(self, why: Why, **values: int) -> None:
        self.why = why
        self.values = values
        super().__init__(why)


SENTENCES: Mapping[Why, str] = {
    Why.EMPTY: _n("《%(name)s》是空文件（0 字节），请检查后重新选择文件。"),
    Why.OTHER_CONTENT: _n(
        "《%(name)s》的内容不是“%(label)s”，与扩展名不符；请用原来的软件打开并另存为正确的格式后再上传。"
    ),
    Why.DAMAGED: _n("《%(name)s》打不开或不完整；请检查原文件，重新保存或重新传输后再上传。"),
    Why.HIDDEN: _n("《%(name)s》里还夹带了其他文件；请打开后另存一份（或截图）再上传。"),
    Why.PIXELS: _n("《%(name)s》的尺寸过大（%(width)s×%(height)s 像素），请缩小到 %(most)s 万像素以内再上传。"),
    Why.PAGES: _n("《%(name)s》共 %(pages)s 页，超过 %(most)s 页；请拆分后再上传。"),
    Why.NO_PAGES: _n("《%(name)s》里没有任何内容页，请检查原文件后重新上传。"),
    Why.PASSWORD: _n("《%(name)s》设有打开密码；请去掉密码、另存一份后再上传。"),
    Why.OLD: _n("《%(name)s》是旧版格式或设有打开密码；请去掉密码、另存为 %(label)s后再上传。"),
    Why.MACROS: _n("《%(name)s》含宏，请另存为不含宏的 %(label)s后再上传。"),
    Why.UNPACKED: _n("《%(name)s》解压后过大或结构异常，不能上传；请用原来的软件打开并另存后再试。"),
    Why.ENCODING: _n("《%(name)s》不是可以识别的纯文本；请用记事本另存为 UTF-8 编码的文本文件后再上传。"),
    Why.LOCATION: _n("《%(name)s》里的位置信息无法清除；请截图，或另存为 JPEG 图片后再上传。"),
    Why.TOO_SLOW: _n("《%(name)s》检查时用时过长或占用内存过多；请另存一份较小的文件后再上传。"),
}

_OF_SIZE = frozenset({Why.PIXELS, Why.PAGES, Why.UNPACKED})


def as_rule_error(why: Why, *, name: str, label: str, values: Mapping[str, int]) -> RuleError:
    """Return the refusal as the rest of the program knows it: TooLarge where size is the reason, Invalid otherwise."""
    refusal = TooLarge if why in _OF_SIZE else Invalid
    return refusal(SENTENCES[why], field="files", name=name, label=label, **values)

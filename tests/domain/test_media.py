"""The table of accepted kinds."""

import pytest

from tracker.domain.errors import Invalid
from tracker.domain.media import KINDS, Family, Preview, accept_attribute, kind_of


@pytest.mark.parametrize(
    "ending", ["pdf", "jpg", "jpeg", "png", "webp", "heic", "heif", "docx", "xlsx", "pptx", "ofd", "txt"]
)
def test_every_kind_that_was_promised_is_accepted(ending):
    assert ending in kind_of(f"记录.{ending.upper()}").extensions
    assert f".{ending}" in accept_attribute().split(",")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("会议.docm", "《会议.docm》含宏，请另存为 docx 后再上传。"),
        ("台账.xls", "《台账.xls》的格式不能上传，请另存为 xlsx 后再上传。"),
        ("打包.zip", "《打包.zip》是压缩包，请解压后逐个上传其中的文件。"),
        ("现场.mp4", "《现场.mp4》是音视频，不需要上传；请改用照片或文字记录。"),
    ],
)
def test_a_refusal_names_the_file_and_says_what_to_do(name, sentence):
    with pytest.raises(Invalid) as refusal:
        kind_of(name)
    assert str(refusal.value) == sentence
    assert refusal.value.field == "files"


@pytest.mark.parametrize("name", ["program.exe", "无后缀", "page.svg", "记录.pdf.exe", ".pdf"])
def test_anything_else_is_refused_with_the_list_of_what_is_accepted(name):
    with pytest.raises(Invalid, match="可以上传：pdf、jpg"):
        kind_of(name)


def test_no_extension_belongs_to_two_kinds():
    endings = [ending for kind in KINDS.values() for ending in kind.extensions]
    assert len(endings) == len(set(endings))


def test_pictures_and_pdf_pages_can_be_shown_and_nothing_else():
    shown = {kind.code for kind in KINDS.values() if kind.preview is not Preview.NONE}
    assert shown == {kind.code for kind in KINDS.values() if kind.family in {Family.IMAGE, Family.PDF}}

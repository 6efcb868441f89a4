"""Names of files: what is kept of them and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import Invalid
from tracker.domain.filename import clean_name, extension


def test_a_chinese_name_is_kept_as_it_is():
    assert clean_name("三月主题党日 记录（第2次）.docx") == "三月主题党日 记录（第2次）.docx"


def test_a_decomposed_name_is_composed():
    assert clean_name("Cafe\u0301.pdf") == "Caf\u00e9.pdf"


@pytest.mark.parametrize(
    "raw", ["../../etc/记录.pdf", "..\\..\\记录.pdf", "C:\\资料\\记录.pdf", "/记录.pdf", "a/../记录.pdf"]
)
def test_only_the_last_part_of_a_path_is_kept(raw):
    assert clean_name(raw) == "记录.pdf"


@pytest.mark.parametrize(
    "raw", ["记录\u202efdp.exe", "记\r\n录.pdf", "记\u200b录.pdf", "记\x00录.pdf", "\udce8.pdf", "记\u2028录.pdf"]
)
def test_a_name_with_unseen_characters_is_refused_and_shown_with_a_box(raw):
    with pytest.raises(Invalid, match=r"□.*控制字符") as refusal:
        clean_name(raw)
    assert refusal.value.field == "files"


@pytest.mark.parametrize("raw", ["", "   ", "..", "../", "资料/", ". ."])
def test_a_file_without_a_name_is_refused(raw):
    with pytest.raises(Invalid, match="没有名称"):
        clean_name(raw)


def test_two_hundred_characters_are_enough():
    assert clean_name("记" * 196 + ".pdf")
    with pytest.raises(Invalid, match="200"):
        clean_name("记" * 197 + ".pdf")


@pytest.mark.parametrize(("name", "found"), [("a.PDF", "pdf"), ("a.tar.gz", "gz"), ("a", ""), (".pdf", ""), ("a.", "")])
def test_the_extension_stands_behind_the_last_dot(name, found):
    assert extension(name) == found


@given(st.text(max_size=250))
def test_a_kept_name_is_never_a_path_and_stays_the_same_when_cleaned_again(raw):
    try:
        name = clean_name(raw)
    except Invalid:
        return
    assert not set(name) & set("/\\\0\r\n")
    assert name not in {"", ".", ".."}
    assert clean_name(name) == name

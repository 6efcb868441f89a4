"""Seals: what can be destroyed although nothing vanishes, and what the request must say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tracker.domain.errors import Invalid
from tracker.domain.evidence import checked_reason
from tracker.domain.text import _n


class SealKind(StrEnum):
    """What a seal destroys: the bytes of a file, or the text of an entry. The digest always stays."""

    FILE = "file"
    EVIDENCE_TEXT = "evidence_text"
    LOG_PAYLOAD = "log_payload"
    SIGN_OFF_REASON = "sign_off_reason"


KIND_NAMES: Mapping[SealKind, str] = {
    SealKind.FILE: _n("佐证文件"),
    SealKind.EVIDENCE_TEXT: _n("佐证的文字说明"),
    SealKind.LOG_PAYLOAD: _n("日志条目的附载内容"),
    SealKind.SIGN_OFF_REASON: _n("签认的理由"),
}


def checked_seal_reason(reason: str) -> str:
    """Return the reason for a seal without the space around it. Raises Invalid on `reason` if there is none."""
    text = checked_reason(reason)
    if not text:
        raise Invalid(_n("请写明封存的理由（不要复述需要封存的内容）。"), field="reason")
    return text

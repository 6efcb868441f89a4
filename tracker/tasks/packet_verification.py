"""Verifies packets: what the stand-alone checker finds, and whether the signature holds.

Whoever hands in a file may be anybody, so a page lets a child process read it: `verify_in_process`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracker.domain.errors import Invalid
from tracker.domain.packet_check.check import check_packet
from tracker.domain.packet_check.result import AUTHENTICITY, Check, Result, Sentence, checked, not_checked, say
from tracker.domain.text import _n
from tracker.reporting.signature import CannotSign, load_certificates
from tracker.reporting.signature_check import SignatureCheck, check_signature
from tracker.storage.child import environment
from tracker.tasks.documents import translator

VALIDITY = "validity"
MEMORY = 1536 * 1024**2
CPU_SECONDS = 120
WALL_SECONDS = 180


def verify(paths: Sequence[Path], *, trusted: Path | None, now: datetime) -> Result:
    """Return what the checker finds in the volumes, with the signature of each; `trusted` is a PEM file of roots.

    Raises CannotSign where the roots cannot be read, OSError where a file cannot be opened.
    """
    roots = load_certificates(trusted) if trusted else None
    signatures = [check_signature(path, trusted=roots, now=now) for path in paths]
    return check_packet(paths).with_check(AUTHENTICITY, _validity(paths, signatures))


def _validity(paths: Sequence[Path], signatures: Sequence[SignatureCheck]) -> Check:
    """The check of the signatures, as one more of those that were made."""
    signed = [each for each in signatures if each.signatures]
    if not signed:
        return not_checked(VALIDITY, say(_n("没有电子签名：不能证明是谁制作的，也不能防止有人整卷重做。")))
    faults: list[Sentence] = []
    notes: list[Sentence] = []
    for path, signature in zip(paths, signatures, strict=True):
        if not signature.signatures:
            faults.append(say(_n("%(file)s 没有电子签名，而同一卷的其他册有。"), file=path.name))
        for finding in signature.findings:
            kept = faults if finding.grade == "bad" else notes
            kept.append(Sentence(finding.message, dict(finding.values)))
    return checked(VALIDITY, faults, notes)


def verify_in_process(path: Path, *, trusted: Path | None, language: str) -> dict[str, Any]:
    """Return the result for one file as JSON has it, in `language`, found by a child with little memory and time.

    Raises Invalid for a file that takes too much of either, or where the installation's roots cannot be read.
    """
    command = [sys.executable, "-m", "tracker.tasks.packet_verification", str(path), str(trusted or ""), language]
    try:
        done = subprocess.run(  # noqa: S603  our own program; what it reads is a path that we made
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            cwd=Path(__file__).parents[2],
            timeout=WALL_SECONDS,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise Invalid(
            _n("这个文件核验用时过长或占用内存过多，没有核验完；请在电脑上用卷内的 verify_packet.py 核验。"),
            field="file",
        ) from error
    answer: dict[str, Any] = json.loads(done.stdout)
    if "refused" in answer:
        raise Invalid(answer["refused"], field="file")
    return answer


def main(arguments: Sequence[str]) -> None:
    """Do the work of the child: verify the named file and print the result as JSON."""
    path, trusted, language = arguments
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    translate = translator(language)
    try:
        result = verify([Path(path)], trusted=Path(trusted) if trusted else None, now=datetime.now(UTC))
    except CannotSign as error:
        json.dump({"refused": translate(error.message) % error.values}, sys.stdout)
        return
    json.dump(result.as_json(translate), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])

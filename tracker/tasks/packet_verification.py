"""Verifies packets: what the stand-alone checker finds, and whether the signature holds and who vouches for it.

Whoever hands in files may be anybody, so a page lets a child process read them: `verify_in_process`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracker.domain.errors import Invalid
from tracker.domain.packet_check.check import check_packet
from tracker.domain.packet_check.result import (
    AUTHENTICITY,
    PASSED,
    Check,
    Result,
    Sentence,
    Translate,
    checked,
    not_checked,
    same,
    say,
)
from tracker.domain.text import _n
from tracker.reporting.signature import CannotSign, load_certificates
from tracker.reporting.signature_check import SignatureCheck, Trust, check_signature
from tracker.storage.child import environment
from tracker.tasks.packet_uploads import by_packet, is_zip, marks_of, unpacked
from tracker.tasks.words import translator

VALIDITY = "validity"
MEMORY = 1536 * 1024**2
CPU_SECONDS = 60  # for everything that is handed in at once
WALL_SECONDS = 90
LARGEST_ANSWER = 4 * 1024**2
_SAID = 2000  # bytes of what a child that failed wrote on its way that go to the log

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verification(Result):
    """The whole result with the signature; `manifest` is the digest of the manifest that the volumes name."""

    manifest: str = ""
    signers: tuple[str, ...] = ()

    @property
    def headline(self) -> Sentence:
        """The whole result in one sentence, which claims no more of the signature than was found."""
        if not self.passed or not self.signers:
            return super().headline
        if any(check.key == VALIDITY and check.outcome == PASSED for check in self.checks()):
            text = _n("核验通过：督查卷 %(packet)s 的内容与卷内清单一致；由“%(signers)s”签名，签名有效。")
        else:
            text = _n(
                "内容没有改动：督查卷 %(packet)s 与卷内清单一致，与签名时一样；"
                "但没有核验签名的证书是否可信，不能防伪造。"
            )
        return say(text, packet=self.packet, signers=" / ".join(self.signers))

    def as_json(self, translate: Translate = same) -> dict[str, object]:
        """The result as JSON has it, with the digest of the manifest."""
        return {**super().as_json(translate), "manifest": self.manifest}


def verify(paths: Sequence[Path], *, trusted: Path | None, now: datetime) -> Verification:
    """Return what the checker finds in the volumes, with the signature of each; `trusted` is a PEM file of roots.

    Raises CannotSign where the roots cannot be read, OSError where a file cannot be opened.
    """
    roots = load_certificates(trusted) if trusted else None
    signatures = [check_signature(path, trusted=roots, now=now) for path in paths]
    result = check_packet(paths).with_check(AUTHENTICITY, _validity(paths, signatures))
    names = [each.certificate.name for signature in signatures for each in signature.signatures]
    manifests = [digest for path in paths if (digest := marks_of(path).get("TrkManifest"))]
    return Verification(
        result.groups,
        result.packet,
        result.signed or all(signature.signatures for signature in signatures),
        manifest=manifests[0] if manifests else "",
        signers=tuple(dict.fromkeys(names)),
    )


def _validity(paths: Sequence[Path], signatures: Sequence[SignatureCheck]) -> Check:
    """The check of the signatures, as one more of those that were made; without roots it fails, or says nothing."""
    found = dict(zip(paths, signatures, strict=True))
    broken = {path for path, each in found.items() if not each.is_readable and _speaks_of_signature(path)}
    if not broken and not any(each.signatures for each in signatures):
        if all(each.is_readable for each in signatures):
            return not_checked(VALIDITY, say(_n("没有电子签名：不能证明是谁制作的，也不能防止有人整卷重做。")))
        return not_checked(VALIDITY, say(_n("文件读不出来，没有核验电子签名。")))
    faults = list(_once(_faults(found, broken)))
    notes = list(_once(_notes(found)))
    if not faults and any(one.trust is Trust.NO_ROOTS for each in signatures for one in each.signatures):
        return not_checked(VALIDITY, *notes)
    return checked(VALIDITY, faults, notes)


def _speaks_of_signature(path: Path) -> bool:
    """Whether a file that cannot be read has, or had, a signature: it says in plain bytes what that covers."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(b"/ByteRange") >= 0


def _faults(found: dict[Path, SignatureCheck], broken: set[Path]) -> Iterator[Sentence]:
    for path, each in found.items():
        if path in broken:
            yield say(_n("%(file)s 的电子签名无法读取，可能已损坏或被改动，不能证明任何内容。"), file=path.name)
        elif not each.signatures:
            yield say(_n("%(file)s 没有电子签名，而同一卷的其他册有。"), file=path.name)
        else:
            yield from _findings(each, is_bad=True)


def _notes(found: dict[Path, SignatureCheck]) -> Iterator[Sentence]:
    return (note for each in found.values() if each.signatures for note in _findings(each, is_bad=False))


def _findings(signature: SignatureCheck, *, is_bad: bool) -> Iterator[Sentence]:
    for finding in signature.findings:
        if (finding.grade == "bad") == is_bad:
            yield Sentence(finding.message, dict(finding.values))


def _once(sentences: Iterable[Sentence]) -> Iterable[Sentence]:
    """The sentences; what several volumes have in common is said once."""
    return {str(sentence): sentence for sentence in sentences}.values()


# ---------------------------------------------------------------- for a page


@dataclass(frozen=True)
class Verified:
    """What came of an upload: the result of each packet as JSON has it with its `files`, and what was refused.

    Each of `files` has `name`, `size` in bytes and `sha256`.
    """

    results: list[dict[str, Any]]
    refusals: list[Invalid]


def verify_in_process(uploads: Sequence[Path], *, folder: Path, trusted: Path | None, language: str) -> Verified:
    """Verify all files of an upload, the volumes of a packet together, by one child with little memory and time.

    `folder` is an empty one for what the child writes: content of a ZIP, its answer. Raises Invalid for what takes
    too much, or where the installation's roots cannot be read.
    """
    command = [sys.executable, "-m", "tracker.tasks.packet_verification", str(folder), str(trusted or ""), language]
    answer, said = folder / "answer", folder / "said"
    try:
        with answer.open("xb") as output, said.open("xb") as errors:
            subprocess.run(  # noqa: S603  our own program; what it reads are paths that we made
                [*command, *map(str, uploads)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment(),
                cwd=Path(__file__).parents[2],
                timeout=WALL_SECONDS,
                check=True,
            )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        logger.warning(
            "a packet could not be verified: %s: %s", error, said.read_bytes()[-_SAID:].decode("utf-8", "replace")
        )
        raise Invalid(
            _n(
                "这次核验用时过长或占用内存过多，没有核验完；请分几次上传，或者在电脑上用卷内的 verify_packet.py 核验。"
            ),
            field="file",
        ) from error
    return _understood(json.loads(answer.read_bytes()))


def _understood(answer: dict[str, Any]) -> Verified:
    if "roots" in answer:
        logger.error("the trusted certificates cannot be used: %s", answer["roots"])
        raise Invalid(
            _n("签名的可信根证书配置有误，没有核验；请管理员检查 TRACKER_TRUSTED_CERTIFICATES。"), field="file"
        )
    refusals = [Invalid(each["message"], field="file", **each["values"]) for each in answer["refused"]]
    return Verified(answer["results"], refusals)


def main(arguments: Sequence[str]) -> None:
    """Do the work of the child: verify the named files and print what was found as JSON."""
    folder, trusted, language, *uploads = arguments
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_CPU, CPU_SECONDS)
    _limit(resource.RLIMIT_CORE, 0)
    files, refused = _received([Path(upload) for upload in uploads], Path(folder))
    _limit(resource.RLIMIT_FSIZE, LARGEST_ANSWER)
    now, translate = datetime.now(UTC), translator(language)
    roots = Path(trusted) if trusted else None
    try:
        results = [
            verify(paths, trusted=roots, now=now).as_json(translate) | {"files": [files[path] for path in paths]}
            for paths in by_packet(files)
        ]
    except CannotSign as error:
        json.dump({"roots": str(error)}, sys.stdout)
        return
    json.dump({"results": results, "refused": refused}, sys.stdout)


def _limit(what: int, most: int) -> None:
    resource.setrlimit(what, (most, most))


def _received(uploads: Sequence[Path], folder: Path) -> tuple[dict[Path, dict[str, object]], list[dict[str, object]]]:
    """What is known of every file, those of a ZIP each for itself and the same bytes once; and what is refused."""
    files: dict[str, tuple[Path, dict[str, object]]] = {}
    refused: list[dict[str, object]] = []
    for number, upload in enumerate(uploads):
        try:
            paths = unpacked(upload, folder / f"unpacked-{number}") if is_zip(upload) else [upload]
        except Invalid as refusal:
            refused.append({"message": refusal.message, "values": refusal.values})
            continue
        for path in paths:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            known = {"name": path.name, "size": path.stat().st_size, "sha256": digest}
            files.setdefault(digest, (path, known))
    return dict(files.values()), refused


if __name__ == "__main__":
    main(sys.argv[1:])

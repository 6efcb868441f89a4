"""Evidence: record what was done, put files to it, let it serve more duties, correct it, withdraw it.

Every verb renews what all duties that a record serves say about their content, and writes its log entry, in the
transaction of the caller. Evidence of a duty under a signature is not changed and not taken away; adding is always
possible and shows as changed after signing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from sqlalchemy import Insert, Select, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.checklist import Checklist
from tracker.domain.errors import Conflict, Invalid, NotAllowed, TooLarge, WrongState
from tracker.domain.evidence import check_act, check_counts, check_period, checked_reason, checked_sentence
from tracker.domain.media import MEBIBYTE
from tracker.domain.sign_off import text_digest
from tracker.domain.text import _n
from tracker.models import (
    Cycle,
    Duty,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    Organization,
    StoredFile,
)
from tracker.policy import Act, can, require
from tracker.queries.checklists import checklist_of
from tracker.queries.columns import read
from tracker.queries.duties import UNSIGNED
from tracker.queries.evidence import bytes_held
from tracker.queries.history import SHANGHAI, known
from tracker.services import log
from tracker.services.bulk import insert_rows, table_of
from tracker.services.duties import check_open, check_year_open, locked, renew
from tracker.services.evidence_rows import (
    Entry,
    Owner,
    evidence_key,
    evidence_row,
    fact_row,
    file_row,
    link_row,
    stored_row,
    told,
)
from tracker.storage.intake import Accepted


@dataclass(frozen=True)
class Allowance:
    """How many bytes one file, and all files of one organization, may take."""

    file_bytes: int
    organization_bytes: int


def record(
    session: Session,
    *,
    duties: Sequence[Duty],
    act_on: date,
    sentence: str,
    counts: Mapping[str, int],
    files: Sequence[Accepted] = (),
    actor: Actor,
    now: datetime,
    allowance: Allowance | None = None,
) -> Evidence:
    """Write down something done that serves these duties of one year; its number is one of the first's organization.

    Raises NotAllowed unless the actor sits in the seat of every duty; Invalid for a day to come or before a duty's
    period, a sentence that is empty or too long, a count that the checklist does not know; TooLarge for files beyond
    the allowance; WrongState for a closed year.
    """
    served = locked(session, {duty.id for duty in duties})
    entered = enter(
        session,
        served,
        first=next(iter(duties), None),
        act_on=act_on,
        sentence=sentence,
        counts=counts,
        files=files,
        actor=actor,
        now=now,
        allowance=allowance,
    )
    renew(session, served)
    log.record_all(session, [entered.told], actor=actor, now=now)
    return entered.evidence


@dataclass(frozen=True)
class Entered:
    """A record that was just written, and what the log has to tell of it."""

    evidence: Evidence
    told: log.Told


def enter(
    session: Session,
    served: Sequence[Duty],
    *,
    first: Duty | None,
    act_on: date,
    sentence: str,
    counts: Mapping[str, int],
    files: Sequence[Accepted],
    actor: Actor,
    now: datetime,
    allowance: Allowance | None,
) -> Entered:
    """Write a record as `record` does, for duties that are locked.

    What they show about their content, and the log, is left to the caller, who may have more to write there.
    """
    _check_preparable(session, served, actor)
    cycle = served[0].cycle
    entry = _checked(act_on, sentence, counts, cycle=cycle, today=_day(now))
    _check_periods(served, entry.act_on, first=first)
    organization = next(duty for duty in served if first and duty.id == first.id).organization
    check_room(session, organization, files, allowance=allowance)
    evidence = _numbered(session, organization, cycle, actor=actor, now=now)
    evidence.entered_as = _appointment(actor, served[0])
    session.add(evidence)
    session.flush()
    _state(session, evidence, entry, actor=actor, now=now)
    _put(session, evidence, stored_files(session, files, now=now), files, actor=actor, now=now)
    _serve(session, evidence, served, actor=actor, now=now)
    after = told(entry, files, _keys(served))
    return Entered(evidence, _told(session, evidence, served, "record", actor=actor, after=after))


def record_at(
    session: Session,
    organization: Organization,
    *,
    cycle: Cycle,
    act_on: date,
    sentence: str,
    files: Sequence[Accepted] = (),
    actor: Actor,
    now: datetime,
    allowance: Allowance | None = None,
) -> Evidence:
    """Write down something done in an organization that serves no duty: how a finding was put right.

    Raises NotAllowed unless the actor sits in the organization; Invalid and TooLarge as `record` does.
    """
    require(session, actor, Act.PREPARE, organization)
    entry = _checked(act_on, sentence, {}, cycle=cycle, today=_day(now))
    check_room(session, organization, files, allowance=allowance)
    evidence = _numbered(session, organization, cycle, actor=actor, now=now)
    evidence.entered_as = next(s.appointment_key for s in actor.sittings if s.organization_id == organization.id)
    session.add(evidence)
    session.flush()
    _state(session, evidence, entry, actor=actor, now=now)
    _attach(session, evidence, files, actor=actor, now=now)
    _log(session, evidence, (), "record", actor=actor, now=now, after=told(entry, files, ()))
    return evidence


def add_files(
    session: Session,
    evidence: Evidence,
    *,
    files: Sequence[Accepted],
    actor: Actor,
    now: datetime,
    allowance: Allowance | None = None,
) -> None:
    """Put more files to a record; always possible, and duties under a signature show it. A file twice is once."""
    served = _opened(session, evidence, actor)
    check_open(session, served)
    check_room(session, evidence.organization, files, allowance=allowance)
    added = _attach(session, evidence, files, actor=actor, now=now)
    if added:
        renew(session, served)
        after = {"files": [file.sha256 for file in added]}
        _log(session, evidence, served, "add_files", actor=actor, now=now, after=after)


def take_off_file(session: Session, evidence: Evidence, *, sha256: str, actor: Actor, now: datetime) -> None:
    """Take a file off a record; it stays known as taken off. Raises WrongState while a served duty is signed."""
    served = _opened(session, evidence, actor)
    check_year_open(session, served)
    _refuse_if_signed(served)
    file = session.scalar(
        select(EvidenceFile)
        .join(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .where(EvidenceFile.evidence_id == evidence.id, StoredFile.sha256 == sha256, known(EvidenceFile))
    )
    if file is None:
        raise Conflict(_n("这个文件已经不在这份佐证中，请刷新页面。"))
    file.superseded_at = now
    renew(session, served)
    _log(session, evidence, served, "take_off_file", actor=actor, now=now, before={"files": [sha256]})


def correct(
    session: Session,
    evidence: Evidence,
    *,
    act_on: date,
    sentence: str,
    counts: Mapping[str, int],
    actor: Actor,
    now: datetime,
) -> None:
    """State anew what the record says; what it said stays known. Raises WrongState while a served duty is signed."""
    served = _opened(session, evidence, actor)
    check_open(session, served)
    _refuse_if_signed(served)
    entry = _checked(act_on, sentence, counts, cycle=_cycle(session, evidence), today=_day(now))
    _check_periods(served, entry.act_on)
    old = _fact(session, evidence)
    old.superseded_at = now
    _state(session, evidence, entry, actor=actor, now=now)
    renew(session, served)
    before = {"act_on": old.act_on, "sentence_sha256": old.sentence_sha256, "counts": old.counts}
    _log(session, evidence, served, "correct", actor=actor, now=now, before=before, after=told(entry, (), ()))


def link(session: Session, evidence: Evidence, duties: Sequence[Duty], *, actor: Actor, now: datetime) -> None:
    """Let a record serve more duties: the actor sees the record and prepares the duties. Twice is as good as once."""
    if not can(session, actor, Act.VIEW, evidence):
        raise NotAllowed(_n("您看不到这份佐证，不能引用。"))
    _locked_record(session, evidence)
    if evidence.withdrawn:
        raise WrongState(_n("这份佐证已经作废，不能再用；请另选或重新填写。"))
    there = set(session.scalars(_served_ids(evidence)))
    found = locked(session, {duty.id for duty in duties})
    _check_preparable(session, found, actor)
    added = [duty for duty in found if duty.id not in there]
    if not added:
        return
    if any(duty.cycle_id != evidence.cycle_id for duty in added):
        raise Invalid(_n("不能引用其他年度的佐证。"))
    _check_periods(added, _fact(session, evidence).act_on)
    _serve(session, evidence, added, actor=actor, now=now)
    renew(session, added)
    _log(session, evidence, added, "link", actor=actor, now=now, after={"duties": _keys(added)})


def unlink(session: Session, evidence: Evidence, duty: Duty, *, actor: Actor, now: datetime) -> None:
    """Let a record serve a duty no longer. Raises WrongState while the duty is signed."""
    require(session, actor, Act.PREPARE, duty)
    _locked_record(session, evidence)
    served = locked(session, [duty.id])
    check_year_open(session, served)
    _refuse_if_signed(served)
    current = session.scalar(
        select(EvidenceLink).where(
            EvidenceLink.evidence_id == evidence.id, EvidenceLink.duty_id == duty.id, known(EvidenceLink)
        )
    )
    if current is None:
        raise Conflict(_n("这份佐证已经不再用于这项任务，请刷新页面。"))
    current.superseded_at = now
    renew(session, served)
    _log(session, evidence, served, "unlink", actor=actor, now=now, before={"duties": [duty.key]})


def withdraw(session: Session, evidence: Evidence, *, reason: str, actor: Actor, now: datetime) -> None:
    """Declare a record void; it stays visible as withdrawn. Raises WrongState while a served duty is signed."""
    served = _opened(session, evidence, actor)
    check_year_open(session, served)
    _refuse_if_signed(served)
    why = checked_reason(reason)
    if not why:
        raise Invalid(_n("请写明作废的原因。"), field="reason")
    old = _fact(session, evidence)
    old.superseded_at = now
    fact = EvidenceFact(
        evidence_id=evidence.id,
        act_on=old.act_on,
        sentence=old.sentence,
        sentence_sha256=old.sentence_sha256,
        counts=old.counts,
        withdrawn=True,
        reason=why,
        entered_by_id=actor.person_id,
        recorded_at=now,
    )
    session.add(fact)
    evidence.withdrawn = True
    renew(session, served)
    after = {"withdrawn": True, "reason_sha256": text_digest(why)}
    _log(session, evidence, served, "withdraw", actor=actor, now=now, before={"withdrawn": False}, after=after)


def check_room(
    session: Session, organization: Organization, files: Iterable[Accepted], *, allowance: Allowance | None
) -> None:
    """Refuse files beyond what one file, or the organization, may take. Raises TooLarge on `files`."""
    sizes = {file.sha256: file.size for file in files}
    if allowance is None or not sizes:
        return
    if max(sizes.values()) > allowance.file_bytes:
        raise TooLarge(
            _n("单个文件不超过 %(most)s MB，请压缩或拆分后再上传。"),
            field="files",
            most=allowance.file_bytes // MEBIBYTE,
        )
    left = room_left(session, organization, allowance=allowance)
    if sum(sizes.values()) > left:
        raise TooLarge(
            _n("本组织的存储空间还剩 %(left)s MB，放不下这些文件；请压缩后再传，或联系管理员扩大限额。"),
            field="files",
            left=left // MEBIBYTE,
        )


def room_left(session: Session, organization: Organization, *, allowance: Allowance) -> int:
    """How many bytes an organization may still hand in."""
    return max(0, allowance.organization_bytes - bytes_held(session, organization.id))


def _day(now: datetime) -> date:
    return now.astimezone(SHANGHAI).date()


def _check_preparable(session: Session, duties: Sequence[Duty], actor: Actor) -> None:
    """Refuse duties (locked) unless the actor may prepare every one of them and they may be worked on together."""
    if not duties:
        raise Invalid(_n("请至少选择一项任务。"), field="duties")
    for duty in duties:
        require(session, actor, Act.PREPARE, duty)
    if len({duty.cycle_id for duty in duties}) > 1:
        raise Invalid(_n("一份佐证只能用于同一年度的任务。"), field="duties")
    check_open(session, duties)


def _opened(session: Session, evidence: Evidence, actor: Actor) -> list[Duty]:
    """The duties that the record serves, locked like the record itself; the actor may work on it and it is valid."""
    require(session, actor, Act.PREPARE, evidence)
    _locked_record(session, evidence)
    if evidence.withdrawn:
        raise WrongState(_n("这份佐证已经作废，不能再改。"))
    return _served(session, evidence)


def _locked_record(session: Session, evidence: Evidence) -> None:
    session.flush()
    query = select(Evidence).where(Evidence.id == evidence.id).with_for_update()
    session.scalars(query.execution_options(populate_existing=True)).one()


def _served_ids(evidence: Evidence) -> Select[int]:
    return select(EvidenceLink.duty_id).where(EvidenceLink.evidence_id == evidence.id, known(EvidenceLink))


def _served(session: Session, evidence: Evidence) -> list[Duty]:
    return locked(session, set(session.scalars(_served_ids(evidence))))


def _refuse_if_signed(duties: Iterable[Duty]) -> None:
    signed = [duty for duty in duties if duty.state not in UNSIGNED]
    titles = dict.fromkeys(_title(duty, checklist_of(duty.cycle.checklist_version)) for duty in signed)
    if signed:
        raise WrongState(
            _n("这份佐证用于 %(count)s 项已经签认的任务（%(duties)s），不能改动；请先逐项撤回或由上级退回，也可补充。"),
            count=len(signed),
            duties="、".join(titles),
        )


def _checked(act_on: date, sentence: str, counts: Mapping[str, int], *, cycle: Cycle, today: date) -> Entry:
    check_act(act_on, today=today)
    check_counts(counts, checklist_of(cycle.checklist_version))
    return Entry(act_on, checked_sentence(sentence), dict(counts))


def _check_periods(duties: Iterable[Duty], act_on: date, *, first: Duty | None = None) -> None:
    """Refuse a day before the period of one of them; those beside the `first` were chosen and can be left out."""
    for duty in duties:
        title = _title(duty, checklist_of(duty.cycle.checklist_version))
        is_chosen = first is not None and duty.id != first.id
        check_period(act_on, starts_on=duty.period_starts_on, title=title, chosen=is_chosen)


def _title(duty: Duty, checklist: Checklist) -> str:
    item = checklist.item.get(duty.item_id)
    return item.title if item else duty.item_id


def _numbered(session: Session, organization: Organization, cycle: Cycle, *, actor: Actor, now: datetime) -> Evidence:
    """The next record of the organization's year; its row is locked, so that no number is given twice."""
    session.execute(select(Organization.id).where(Organization.id == organization.id).with_for_update(key_share=True))
    last = session.scalar(
        select(func.max(Evidence.number)).where(
            Evidence.organization_id == organization.id, Evidence.cycle_id == cycle.id
        )
    )
    number = (last or 0) + 1
    key = evidence_key(year=cycle.year, code=organization.code, number=number)
    owner = Owner(organization.id, organization.unit_id, cycle.id, actor.person_id)
    return Evidence(**evidence_row(key, number, owner, now=now))


def _appointment(actor: Actor, duty: Duty) -> str:
    sitting = actor.sitting_in(duty.seat_id)
    assert sitting is not None  # noqa: S101  (whoever may prepare sits there)
    return sitting.appointment_key


def _state(session: Session, evidence: Evidence, entry: Entry, *, actor: Actor, now: datetime) -> None:
    insert_rows(session, EvidenceFact, [fact_row(evidence.id, entry, person_id=actor.person_id, now=now)])


def _attach(
    session: Session, evidence: Evidence, files: Sequence[Accepted], *, actor: Actor, now: datetime
) -> list[Accepted]:
    """Write the files that the record does not have yet, and return them."""
    rows = stored_files(session, files, now=now)
    there = set(
        session.scalars(
            select(EvidenceFile.stored_file_id).where(EvidenceFile.evidence_id == evidence.id, known(EvidenceFile))
        )
    )
    return _put(session, evidence, rows, [f for f in files if rows[f.sha256] not in there], actor=actor, now=now)


def _put(
    session: Session,
    evidence: Evidence,
    stored: Mapping[str, int],
    files: Sequence[Accepted],
    *,
    actor: Actor,
    now: datetime,
) -> list[Accepted]:
    """Put files (their row numbers by digest in `stored`) to a record that has none of them; a file twice is once."""
    new = {file.sha256: file for file in files}
    person = actor.person_id
    rows = [file_row(evidence.id, stored[sha256], file, person_id=person, now=now) for sha256, file in new.items()]
    insert_rows(session, EvidenceFile, rows)
    return list(new.values())


def stored_files(session: Session, files: Iterable[Accepted], *, now: datetime) -> dict[str, int]:
    """The number of one row for each digest, added where there is none. Raises Invalid for bytes that were sealed."""
    wanted = {file.sha256: file for file in files}
    if not wanted:
        return {}
    # somebody else may hand in the same bytes at this moment: whoever comes second uses the first one's row
    rows = [stored_row(wanted[sha256], now=now) for sha256 in sorted(wanted)]
    session.connection().execute(_unless_there(session.get_bind().dialect.name), rows)
    found = read(session, _stored(), {"digests": list(wanted)}).all()
    if any(sealed_at for _, _, sealed_at in found):
        raise Invalid(_n("其中有文件已按规定封存，不能再次上传。"), field="files")
    return {sha256: number for sha256, number, _ in found}


@cache
def _unless_there(dialect: str) -> Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table_of(StoredFile)).on_conflict_do_nothing()


@cache
def _stored() -> Select[str, int, datetime | None]:
    rows = select(StoredFile.sha256, StoredFile.id, StoredFile.sealed_at)
    return rows.where(StoredFile.sha256.in_(bindparam("digests", expanding=True)))


def _serve(session: Session, evidence: Evidence, duties: Iterable[Duty], *, actor: Actor, now: datetime) -> None:
    rows = [link_row(evidence.id, duty.id, person_id=actor.person_id, now=now) for duty in duties]
    insert_rows(session, EvidenceLink, rows)


def _fact(session: Session, evidence: Evidence) -> EvidenceFact:
    query = select(EvidenceFact).where(EvidenceFact.evidence_id == evidence.id, known(EvidenceFact))
    return session.scalars(query).one()


def _cycle(session: Session, evidence: Evidence) -> Cycle:
    return session.get_one(Cycle, evidence.cycle_id)


def _keys(duties: Iterable[Duty]) -> list[str]:
    return sorted(duty.key for duty in duties)


def _log(
    session: Session,
    evidence: Evidence,
    duties: Iterable[Duty],
    verb: str,
    *,
    actor: Actor,
    now: datetime,
    before: object = None,
    after: object = None,
) -> None:
    told = _told(session, evidence, duties, verb, actor=actor, before=before, after=after)
    log.record_all(session, [told], actor=actor, now=now)


def _told(
    session: Session,
    evidence: Evidence,
    duties: Iterable[Duty],
    verb: str,
    *,
    actor: Actor,
    before: object = None,
    after: object = None,
) -> log.Told:
    """What the log tells in the chain of each unit concerned: the record's and those of the duties it serves."""
    chains = log.chains_of(session, {evidence.organization_id, *(duty.organization_id for duty in duties)})
    by = _appointment_in(actor, evidence, duties)
    return log.Told(verb, "evidence", evidence.key, tuple(chains.values()), before, after, by)


def _appointment_in(actor: Actor, evidence: Evidence, duties: Iterable[Duty]) -> str | None:
    seats = {duty.seat_id for duty in duties}
    fitting = [s for s in actor.sittings if s.seat_id in seats or s.organization_id == evidence.organization_id]
    return fitting[0].appointment_key if fitting else None

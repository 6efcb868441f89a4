"""Seals: Adam asks, Alma agrees, the content goes, and everything that was said and signed about it still holds."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tests.city import NOW
from tests.work import ACT, PRESENT, duty
from tracker.domain.actor import operator
from tracker.domain.errors import Conflict, Invalid, NotAllowed, NotFound, WrongState
from tracker.domain.seal import SealKind
from tracker.models import Account, EvidenceFact, LogChain, LogEntry, LogPayload, Seal, SealState, SignOff, StoredFile
from tracker.queries.seals import seal_requests
from tracker.services import accounts, evidence, log, seals, sign_offs
from tracker.services.password_hash import Hasher
from tracker.services.recount import verify_caches, verify_sign_offs, verify_texts
from tracker.services.verification import FileFault, verify_files, verify_log
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import Accepted

SENTENCE = "走访了一名患病同志"
BYTES = b"%PDF-1.4 what must not be here"
WHY = "含有个人健康信息"
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "evidence")


@pytest.fixture
def adam(city):
    return city.actor("Adam")


@pytest.fixture
def alma(city):
    city.give_role("Alma", "administrator")
    return city.actor("Alma")


@pytest.fixture
def meeting(city):
    return duty(city, "D1-B1.P4-1", "L3-02", "M05")


@pytest.fixture
def told(session, city, store, meeting):
    """A record of Asha's with a sentence and a file, submitted."""
    blob = store.put([BYTES])
    accepted = Accepted(blob.sha256, blob.size, "纪要.pdf", "application/pdf", {"kind": "pdf"}, False)
    return sign_offs.tick(
        session,
        duties=[meeting],
        act_on=ACT,
        sentence=SENTENCE,
        counts=PRESENT,
        files=[accepted],
        actor=city.actor("Asha"),
        now=NOW,
    )


def seal(session, kind, key, adam, alma):
    seals.ask(session, kind=kind, key=key, reason=WHY, actor=adam, now=LATER)
    return seals.agree(session, kind=kind, key=key, actor=alma, now=LATER)


def file_of(session):
    return session.scalars(select(StoredFile)).one()


def clean(session):
    rows = [*verify_sign_offs(session), *verify_texts(session), *verify_caches(session, now=LATER)]
    return not rows and not [report for report in verify_log(session) if report.broken]


def test_a_sealed_file_is_gone_and_everything_about_it_still_holds(session, told, store, adam, alma, meeting):
    sha256, content = file_of(session).sha256, meeting.content_digest
    gone = seal(session, SealKind.FILE, sha256, adam, alma)
    assert store.path(sha256).exists()
    for digest in gone:
        store.destroy(digest)
    assert not store.path(sha256).exists()
    assert file_of(session).sealed_at == LATER
    assert meeting.content_digest == content
    assert clean(session)
    assert list(verify_files(session, store, now=LATER)) == []


def test_a_sealed_file_whose_bytes_are_still_there_is_named(session, told, store, adam, alma):
    seal(session, SealKind.FILE, file_of(session).sha256, adam, alma)
    [report] = verify_files(session, store, now=LATER)
    assert report.fault is FileFault.NOT_DESTROYED


def test_a_sealed_file_cannot_be_handed_in_again(session, city, told, adam, alma):
    row = file_of(session)
    seal(session, SealKind.FILE, row.sha256, adam, alma)
    again = Accepted(row.sha256, row.size, "纪要.pdf", "application/pdf", {"kind": "pdf"}, False)
    with pytest.raises(Invalid, match="封存"):
        evidence.add_files(session, told, files=[again], actor=city.actor("Asha"), now=LATER)


def test_a_sealed_sentence_is_gone_from_every_wording(session, city, told, meeting, adam, alma):
    sign_offs.withdraw(session, meeting, actor=city.actor("Asha"), now=LATER)
    evidence.correct(
        session, told, act_on=ACT, sentence="走访一名同志", counts=PRESENT, actor=city.actor("Asha"), now=LATER
    )
    seal(session, SealKind.EVIDENCE_TEXT, told.key, adam, alma)
    facts = session.scalars(select(EvidenceFact)).all()
    assert [fact.sentence for fact in facts] == [None, None]
    assert all(fact.sentence_sha256 and fact.act_on == ACT and fact.sealed_at == LATER for fact in facts)
    assert clean(session)


def test_a_record_can_be_withdrawn_after_its_sentence_was_sealed(session, city, told, meeting, adam, alma):
    seal(session, SealKind.EVIDENCE_TEXT, told.key, adam, alma)
    sign_offs.withdraw(session, meeting, actor=city.actor("Asha"), now=LATER)
    evidence.withdraw(session, told, reason="重新登记", actor=city.actor("Asha"), now=LATER)
    assert clean(session)


def test_log_payloads_that_say_the_sentence_are_sealed_with_it(session, told, adam, alma):
    for key, after in ((told.key, {"sentence": SENTENCE}), ("elsewhere", {"sentence": SENTENCE})):
        log.record(
            session, actor=operator(), now=NOW, verb="note", kind="evidence", key=key, chains=["D1"], after=after
        )
    seal(session, SealKind.EVIDENCE_TEXT, told.key, adam, alma)
    notes = session.scalars(select(LogEntry).where(LogEntry.verb == "note").order_by(LogEntry.seq)).all()
    assert [entry.payload.body is None for entry in notes] == [True, False]
    assert clean(session)


def test_a_sealed_log_payload_leaves_its_chain_whole(session, told, adam, alma):
    entry = session.scalars(select(LogEntry).where(LogEntry.verb == "record")).one()
    seal(session, SealKind.LOG_PAYLOAD, entry.digest, adam, alma)
    assert session.get_one(LogPayload, entry.payload_id).body is None
    assert clean(session)


def test_a_sealed_reason_leaves_its_signature_whole(session, city, told, meeting, adam, alma):
    sign_offs.return_(session, meeting, reason="某同志的病情不应写入", actor=city.actor("Chen"), now=LATER)
    row = session.scalars(select(SignOff).where(SignOff.reason.is_not(None))).one()
    seal(session, SealKind.SIGN_OFF_REASON, row.key, adam, alma)
    assert row.reason is None
    assert row.reason_sha256
    assert clean(session)


def test_the_chain_of_the_unit_tells_who_asked_who_agreed_and_why(session, told, adam, alma):
    seal(session, SealKind.EVIDENCE_TEXT, told.key, adam, alma)
    entries = session.scalars(
        select(LogEntry).join(LogChain).where(LogChain.key == "D1", LogEntry.verb.like("seal.%")).order_by(LogEntry.seq)
    ).all()
    assert [(entry.verb, entry.actor) for entry in entries] == [("seal.ask", "adam"), ("seal.agree", "alma")]
    assert WHY.encode() in entries[1].payload.body
    assert SENTENCE.encode() not in entries[1].payload.body


def test_adam_cannot_agree_to_what_he_asked_for(session, told, adam):
    seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=adam, now=LATER)
    for decide in (seals.agree, seals.refuse):
        with pytest.raises(NotAllowed, match="另一名管理员"):
            decide(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, actor=adam, now=LATER)


def test_adam_cannot_agree_through_an_account_that_he_let_himself_into(session, city, told, adam, alma):
    account = session.query(Account).filter_by(person_id=alma.person_id).one()
    accounts.issue_code(session, account, hasher=Hasher("salt of the test"), actor=adam, now=NOW)
    seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=adam, now=LATER)
    with pytest.raises(NotAllowed, match="重置过您的账号"):
        seals.agree(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, actor=alma, now=LATER)


def test_the_database_refuses_one_administrator_for_both(session, told, adam):
    made = seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=adam, now=LATER)
    made.state, made.decided_by_id, made.decided_at = SealState.DONE, adam.person_id, LATER
    with pytest.raises(IntegrityError), session.begin_nested():
        session.flush()


def test_the_database_refuses_a_seal_that_nobody_decided(session, told, adam):
    made = seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=adam, now=LATER)
    made.state = SealState.DONE
    with pytest.raises(IntegrityError), session.begin_nested():
        session.flush()


@pytest.mark.parametrize("who", ["Asha", "Chen", "Ines", "Ada"])
def test_only_administrators_seal(session, city, told, adam, who):
    with pytest.raises(NotAllowed):
        seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=city.actor(who), now=LATER)
    seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=adam, now=LATER)
    with pytest.raises(NotAllowed):
        seals.agree(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, actor=city.actor(who), now=LATER)


def test_the_operator_is_nobody_who_could_seal(session, told):
    with pytest.raises(NotAllowed, match="本人账号"):
        seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=operator(), now=LATER)


def test_a_refused_request_destroys_nothing_and_can_be_made_again(session, told, adam, alma):
    seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=adam, now=LATER)
    seals.refuse(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, actor=alma, now=LATER)
    assert session.scalars(select(EvidenceFact.sentence)).one() == SENTENCE
    seal(session, SealKind.EVIDENCE_TEXT, told.key, alma, adam)
    assert [request.state for request in seal_requests(session)] == [SealState.REFUSED, SealState.DONE]


def test_what_cannot_be_asked_for(session, told, adam, alma):
    kind = SealKind.EVIDENCE_TEXT
    with pytest.raises(NotFound):
        seals.ask(session, kind=kind, key="2026.D1-B1.99", reason=WHY, actor=adam, now=LATER)
    with pytest.raises(Invalid, match="理由"):
        seals.ask(session, kind=kind, key=told.key, reason="  ", actor=adam, now=LATER)
    seals.ask(session, kind=kind, key=told.key, reason=WHY, actor=adam, now=LATER)
    with pytest.raises(Conflict):
        seals.ask(session, kind=kind, key=told.key, reason=WHY, actor=alma, now=LATER)
    seals.agree(session, kind=kind, key=told.key, actor=alma, now=LATER)
    with pytest.raises(WrongState):
        seals.agree(session, kind=kind, key=told.key, actor=alma, now=LATER)
    with pytest.raises(WrongState, match="已经封存"):
        seals.ask(session, kind=kind, key=told.key, reason=WHY, actor=adam, now=LATER)


def test_recorded_heads_cannot_be_sealed(session, city, adam):
    log.record_heads(session, actor=operator(), now=NOW)
    entry = session.scalars(select(LogEntry).where(LogEntry.verb == "heads")).one()
    with pytest.raises(NotFound):
        seals.ask(session, kind=SealKind.LOG_PAYLOAD, key=entry.digest, reason=WHY, actor=adam, now=LATER)


def test_a_request_names_the_digest_that_stays(session, told, adam):
    made = seals.ask(session, kind=SealKind.EVIDENCE_TEXT, key=told.key, reason=WHY, actor=adam, now=LATER)
    assert made.digest == session.scalars(select(EvidenceFact.sentence_sha256)).one()
    assert session.scalars(select(Seal)).one().state is SealState.ASKED

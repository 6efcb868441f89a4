"""The log: entries that commit with what they tell, in a chain for each unit, with heads recorded day by day."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW, at
from tests.tampering import tamper
from tracker.domain.actor import operator
from tracker.domain.log import Break, Fault, Strand, follow
from tracker.models import LogChain, LogEntry
from tracker.queries.log import SYSTEM, chains, last_heads, stored_rows
from tracker.services.log import record, record_heads
from tracker.services.verification import ChainReport, verify_chains, verify_log


def write(session, *, chains=("D1",), key="2026.D1-B1.1", now=NOW, after=None):
    return record(
        session, actor=operator(), now=now, verb="record", kind="evidence", key=key, chains=chains, after=after or {}
    )


def faults(session, chain=None):
    return {report.chain: report.broken for report in verify_log(session, chain=chain) if report.broken}


@pytest.fixture
def busy(session, city):
    """Six entries in the chain of D1, three in that of D2."""
    for number in range(6):
        write(session, chains=("D1", "D2") if number % 2 else ("D1",), after={"number": number})
    return session


def test_an_act_on_two_units_writes_one_entry_in_each_under_one_act_id(session, city):
    act = write(session, chains=("D2", "D1"))
    entries = session.scalars(select(LogEntry).where(LogEntry.act_id == act)).all()
    assert {entry.chain.key for entry in entries} == {"D1", "D2"}
    assert act == "D1:1"


def test_a_chain_names_its_length_and_its_head(busy):
    chain = busy.scalars(select(LogChain).where(LogChain.key == "D1")).one()
    last = busy.scalars(select(LogEntry).where(LogEntry.chain_id == chain.id).order_by(LogEntry.seq.desc())).first()
    assert (chain.length, chain.head) == (6, last.digest)


def test_untouched_chains_hold(busy):
    assert faults(busy) == {}
    assert [report.length for report in verify_log(busy)] == [6, 3]


def test_untouched_chains_hold_the_quick_way_whatever_their_texts(busy):
    for key in ('say "it"', "back\\slash", "e\u0301", "中文", "line\n"):
        write(busy, key=key, after={key: key})
    rows = chains(busy)
    for together in (rows, rows[:1], rows[1:], []):
        strands = {row.id: Strand(row.key, {}, ()) for row in together}
        follow(stored_rows(busy, together), strands)
        assert [strands[row.id].held for row in together] == [(row.length, row.head) for row in together]


def test_chains_are_checked_in_halves_and_reported_as_one(busy):
    given = []

    def aside(keys):
        given.extend(keys)
        return lambda: verify_chains(busy, keys)

    assert verify_log(busy, aside=aside) == verify_log(busy)
    assert given == ["D2"]
    assert verify_chains(busy, ["D9"]) == [ChainReport("D9", 0, None, Break(1, Fault.TAIL))]


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE log_entry SET actor = 'omar' WHERE seq = 3", Break(3, Fault.DIGEST)),
        ("DELETE FROM log_entry WHERE seq = 3", Break(3, Fault.GAP)),
        ("DELETE FROM log_entry WHERE seq = 1", Break(1, Fault.GAP)),
        ("UPDATE log_entry SET previous = NULL WHERE seq = 4", Break(4, Fault.PREVIOUS)),
        ("DELETE FROM log_entry WHERE seq > 4", Break(5, Fault.TAIL)),
    ],
)
def test_the_first_broken_entry_is_named(busy, change, broken):
    tamper(busy, "log_entry", f"{change} AND chain_id = (SELECT id FROM log_chain WHERE key = 'D1')")
    assert faults(busy) == {"D1": broken}
    assert faults(busy, "D2") == {}


def test_a_payload_that_was_rewritten_shows(busy):
    entry = busy.scalars(select(LogEntry).where(LogEntry.object_kind == "evidence", LogEntry.seq == 2)).first()
    tamper(busy, "log_payload", "UPDATE log_payload SET body = :body WHERE id = :id", body=b"{}", id=entry.payload_id)
    assert faults(busy)[entry.chain.key] == Break(2, Fault.PAYLOAD)


def test_a_payload_that_is_gone_without_a_seal_shows(busy):
    entry = busy.scalars(select(LogEntry).join(LogChain).where(LogChain.key == "D1", LogEntry.seq == 2)).one()
    entry.payload.body, entry.payload.sealed_at = None, NOW
    busy.flush()
    assert faults(busy) == {"D1": Break(2, Fault.MISSING)}


def test_a_tail_that_was_cut_off_together_with_the_row_shows_against_the_recorded_head(busy):
    record_heads(busy, actor=operator(), now=NOW)
    cut = busy.scalars(select(LogEntry).join(LogChain).where(LogChain.key == "D1", LogEntry.seq == 4)).one()
    tamper(busy, "log_entry", "DELETE FROM log_entry WHERE seq > 4 AND chain_id = :id", id=cut.chain_id)
    tamper(busy, "log_chain", "UPDATE log_chain SET length = 4, head = :head WHERE key = 'D1'", head=cut.digest)
    assert faults(busy) == {"D1": Break(5, Fault.TAIL)}


def test_a_chain_that_is_gone_altogether_shows(busy):
    record_heads(busy, actor=operator(), now=NOW)
    tamper(busy, "log_entry", "DELETE FROM log_entry WHERE chain_id = (SELECT id FROM log_chain WHERE key = 'D2')")
    tamper(busy, "log_chain", "DELETE FROM log_chain WHERE key = 'D2'")
    assert faults(busy) == {"D2": Break(1, Fault.TAIL)}
    assert faults(busy, "D2") == {"D2": Break(1, Fault.TAIL)}
    assert faults(busy, "D1") == {}


def test_a_chain_that_was_written_anew_shows_at_the_first_head_that_differs(busy):
    record_heads(busy, actor=operator(), now=at(date(2026, 5, 21)))
    write(busy, chains=["D1"], after={"number": 6})
    record_heads(busy, actor=operator(), now=at(date(2026, 5, 22)))
    tamper(busy, "log_entry", "DELETE FROM log_entry WHERE chain_id = (SELECT id FROM log_chain WHERE key = 'D1')")
    tamper(busy, "log_chain", "UPDATE log_chain SET length = 0, head = NULL WHERE key = 'D1'")
    for number in range(7):
        write(busy, chains=["D1"], after={"number": number, "forged": True})
    assert faults(busy) == {"D1": Break(6, Fault.HEAD)}


def test_an_entry_beyond_the_end_that_the_row_names_shows(busy):
    tamper(busy, "log_chain", "UPDATE log_chain SET length = 5 WHERE key = 'D1'")
    assert faults(busy) == {"D1": Break(6, Fault.HEAD)}


def test_heads_are_recorded_once_a_day_in_shanghai(busy):
    late = at(date(2026, 5, 20), 23)
    assert record_heads(busy, actor=operator(), now=late)
    assert not record_heads(busy, actor=operator(), now=late + timedelta(minutes=59))
    assert record_heads(busy, actor=operator(), now=late + timedelta(hours=1))
    days = busy.scalars(select(LogEntry.object_key).where(LogEntry.object_kind == "log").order_by(LogEntry.seq)).all()
    assert days == ["2026-05-20", "2026-05-21"]


def test_the_recorded_heads_are_those_of_all_chains(busy):
    record_heads(busy, actor=operator(), now=NOW)
    assert {chain: seq for chain, (seq, _) in last_heads(busy).items()} == {"D1": 6, "D2": 3}
    record_heads(busy, actor=operator(), now=NOW + timedelta(days=1))
    assert last_heads(busy)[SYSTEM][0] == 1
    assert faults(busy) == {}


def test_the_recorded_head_of_one_chain_is_the_last_one_that_names_it(busy):
    record_heads(busy, actor=operator(), now=NOW)
    record(busy, actor=operator(), now=NOW, verb="note", kind="duty", key="K", chains=["D3"])
    record_heads(busy, actor=operator(), now=NOW + timedelta(days=1))
    everything = last_heads(busy)
    assert everything["D3"][0] == 1
    for chain in ("D1", "D3", SYSTEM):
        assert last_heads(busy, {chain}) == {chain: everything[chain]}
    assert last_heads(busy, {"D2", "D3", "nowhere"}) == {chain: everything[chain] for chain in ("D2", "D3")}


def test_progress_is_told_in_entries(busy):
    told = []
    verify_log(busy, progress=lambda done, whole: told.append((done, whole)))
    assert told == [(0, 9), (9, 9)]

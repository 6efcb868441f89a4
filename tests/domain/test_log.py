"""The chained log: no entry can be changed, dropped or swapped without the chain saying where."""

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.canonical import canonical_json, digest, moment
from tracker.domain.log import (
    ENTRY_FORM,
    FAULT_TEXTS,
    MEMBERS,
    Break,
    Entry,
    Fault,
    Held,
    Strand,
    entry_content,
    entry_digest,
    follow,
    verify_chain,
)

START = datetime(2026, 5, 8, 1, 30, tzinfo=UTC)
LENGTH = 6


def chained(length=LENGTH):
    entries, previous = [], None
    for seq in range(1, length + 1):
        payload = f'{{"after":{seq}}}'.encode()
        values = {
            "chain": "unit-1",
            "seq": seq,
            "at": START + timedelta(minutes=seq),
            "act_id": f"act-{seq}",
            "actor": "p-asha",
            "appointment": "a-1",
            "verb": "duty.submit",
            "object_kind": "duty",
            "object_key": f"2026/hs-1/I-07/M05/{seq}",
            "payload_digest": digest(payload),
            "request_id": None,
            "previous": previous,
        }
        entries.append(Entry(**values, digest=entry_digest(**values), payload=payload))
        previous = entries[-1].digest
    return entries


ENTRIES = chained()
CHANGES = {
    "chain": "unit-2",
    "seq": 99,
    "at": START,
    "act_id": "act-x",
    "actor": "p-omar",
    "appointment": None,
    "verb": "duty.confirm",
    "object_kind": "evidence",
    "object_key": "elsewhere",
    "payload_digest": "0" * 64,
    "request_id": "r-1",
    "previous": "0" * 64,
    "digest": "0" * 64,
    "payload": b"{}",
}


def test_an_untouched_chain_holds():
    assert verify_chain(ENTRIES) is None
    assert verify_chain([]) is None


def test_an_entry_can_be_redone_by_hand():
    first = ENTRIES[0]
    by_hand = {
        "form": "tracker/log-entry/1",
        "chain": "unit-1",
        "seq": 1,
        "at": "2026-05-08T01:31:00.000000Z",
        "act_id": "act-1",
        "actor": "p-asha",
        "appointment": "a-1",
        "verb": "duty.submit",
        "object_kind": "duty",
        "object_key": "2026/hs-1/I-07/M05/1",
        "payload_digest": hashlib.sha256(b'{"after":1}').hexdigest(),
        "request_id": None,
        "previous": None,
    }
    data = json.dumps(by_hand, sort_keys=True, separators=(",", ":")).encode()
    assert first.digest == hashlib.sha256(data).hexdigest()


def test_every_member_of_an_entry_is_tried():
    assert set(CHANGES) == {field.name for field in fields(Entry)}


@given(st.integers(0, LENGTH - 1), st.sampled_from(sorted(CHANGES)))
def test_any_single_change_is_found_at_its_place(index, member):
    changed = list(ENTRIES)
    changed[index] = replace(changed[index], **{member: CHANGES[member]})
    broken = verify_chain(changed, chain="unit-1")
    assert broken is not None
    assert broken.seq == index + 1


@given(st.integers(0, LENGTH - 2))
def test_a_dropped_entry_is_found(index):
    assert verify_chain(ENTRIES[:index] + ENTRIES[index + 1 :]) == Break(index + 1, Fault.GAP)


@given(st.integers(0, LENGTH - 1))
def test_an_entry_that_stands_twice_is_found(index):
    doubled = [*ENTRIES[: index + 1], *ENTRIES[index:]]
    assert verify_chain(doubled) == Break(index + 2, Fault.GAP)


def test_an_entry_rewritten_with_a_fitting_digest_breaks_the_next_one():
    values = {f.name: getattr(ENTRIES[2], f.name) for f in fields(Entry) if f.name not in {"digest", "payload"}}
    forged = replace(ENTRIES[2], actor="p-omar", digest=entry_digest(**{**values, "actor": "p-omar"}))
    assert verify_chain([*ENTRIES[:2], forged, *ENTRIES[3:]]) == Break(4, Fault.PREVIOUS)


def test_a_sealed_payload_leaves_the_chain_whole():
    assert verify_chain([*ENTRIES[:2], replace(ENTRIES[2], payload=None), *ENTRIES[3:]]) is None


def test_a_cut_tail_shows_against_a_recorded_head():
    heads = {5: ENTRIES[4].digest}
    assert verify_chain(ENTRIES, heads=heads) is None
    assert verify_chain(ENTRIES[:3]) is None
    assert verify_chain(ENTRIES[:3], heads=heads) == Break(4, Fault.TAIL)


def test_a_chain_written_anew_shows_against_a_recorded_head():
    assert verify_chain(ENTRIES, heads={3: "0" * 64}) == Break(3, Fault.HEAD)


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_is_said_in_words(fault):
    assert Break(1, fault).message == FAULT_TEXTS[fault]


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8) | st.sampled_from(
    ['"', "\\", "\x7f", "\n", "e\u0301"]
)
ANY = {
    **dict.fromkeys(("chain", "act_id", "verb", "object_kind", "object_key", "payload_digest"), TEXT),
    **dict.fromkeys(("actor", "appointment", "request_id", "previous"), TEXT | st.none()),
    "seq": st.integers(1, 10**9),
    "at": st.datetimes(timezones=st.timezones()),
}


@given(st.fixed_dictionaries(ANY))
def test_the_content_of_an_entry_is_the_canonical_form_of_its_members(members):
    assert entry_content(**members) == canonical_json({"form": ENTRY_FORM, **members})


def test_text_that_is_no_unicode_has_no_content():
    values = {field.name: getattr(ENTRIES[0], field.name) for field in fields(Entry)}
    del values["digest"], values["payload"]
    with pytest.raises(ValueError, match="surrogates"):
        entry_content(**values | {"verb": "\ud800"})


# ---------------------------------------------------------------- the quick way, over the same entries as bare rows


NUMBER = 7


def held(rows, *, chain, heads=None, sealed=()):
    strand = Strand(chain, heads or {}, sealed)
    follow(rows, {NUMBER: strand})
    return strand.held


def rows_of(entries):
    """Entries as they lie in a database."""
    return [
        (
            NUMBER,
            *(moment(entry.at) if name == "at" else getattr(entry, name) for name in MEMBERS),
            *(entry.digest, entry.payload),
        )
        for entry in entries
    ]


def odd_chain(texts):
    """A chain in which every text is one of these."""
    entries, previous = [], None
    for seq, text in enumerate(texts, start=1):
        payload = text.encode()
        values = dict.fromkeys(("act_id", "actor", "appointment", "verb", "object_kind", "object_key"), text)
        values |= {"chain": "unit-1", "seq": seq, "at": START, "request_id": None}
        values |= {"payload_digest": digest(payload), "previous": previous}
        entries.append(Entry(**values, digest=entry_digest(**values), payload=payload))
        previous = entries[-1].digest
    return entries


def test_an_untouched_chain_holds_up_to_its_end_the_quick_way():
    assert held(rows_of(ENTRIES), chain="unit-1") == Held(LENGTH, ENTRIES[-1].digest)
    assert held([], chain="unit-1") == Held(0, None)
    assert held(rows_of(ENTRIES), chain="unit-2") is None


@given(st.lists(TEXT, max_size=4))
def test_texts_that_are_escaped_or_normalized_hold_as_well(texts):
    entries = odd_chain(texts)
    assert verify_chain(entries) is None
    assert held(rows_of(entries), chain="unit-1") == Held(len(texts), entries[-1].digest if texts else None)


@given(st.integers(0, LENGTH - 1), st.sampled_from(sorted(set(CHANGES) - {"chain"})))
def test_any_single_change_leaves_a_doubt(index, member):
    changed = list(ENTRIES)
    changed[index] = replace(changed[index], **{member: CHANGES[member]})
    assert held(rows_of(changed), chain="unit-1") is None


@pytest.mark.parametrize("text", ['say "it"', "a\\b", "line\n", "\x01"])
@pytest.mark.parametrize("member", ["act_id", "actor", "appointment", "verb", "object_kind", "object_key"])
def test_a_text_that_was_replaced_by_what_it_is_escaped_as_leaves_a_doubt(text, member):
    [entry] = odd_chain([text])
    forged = replace(entry, **{member: json.dumps(text)[1:-1]})
    assert held(rows_of([entry]), chain="unit-1")
    assert held(rows_of([forged]), chain="unit-1") is None


def test_a_text_that_swallows_the_next_member_leaves_a_doubt():
    [entry] = odd_chain(["x"])
    forged = replace(entry, act_id='x","actor":"x', actor=None)
    assert held(rows_of([forged]), chain="unit-1") is None


@given(st.integers(0, LENGTH - 2))
def test_a_dropped_or_doubled_entry_leaves_a_doubt(index):
    assert held(rows_of(ENTRIES[:index] + ENTRIES[index + 1 :]), chain="unit-1") is None
    assert held(rows_of([*ENTRIES[: index + 1], *ENTRIES[index:]]), chain="unit-1") is None


def test_a_moment_that_is_none_leaves_a_doubt():
    [row] = rows_of(ENTRIES[:1])
    for text in ("yesterday", "", row[4].removesuffix("Z")):
        assert held([(*row[:4], text, *row[5:])], chain="unit-1") is None


def test_a_payload_that_is_gone_leaves_a_doubt_unless_it_was_sealed():
    gone = rows_of([*ENTRIES[:2], replace(ENTRIES[2], payload=None), *ENTRIES[3:]])
    assert held(gone, chain="unit-1") is None
    assert held(gone, chain="unit-1", sealed={ENTRIES[2].digest}) == Held(LENGTH, ENTRIES[-1].digest)


def test_recorded_heads_are_asked_the_quick_way_too():
    rows = rows_of(ENTRIES)
    assert held(rows, chain="unit-1", heads={5: ENTRIES[4].digest})
    assert held(rows, chain="unit-1", heads={5: "0" * 64}) is None
    assert held(rows[:3], chain="unit-1", heads={5: ENTRIES[4].digest}) is None


def test_chains_are_followed_through_one_another():
    other = odd_chain(["a", "b"])
    rows = [(8, *row[1:]) for row in rows_of([replace(entry) for entry in other])]
    strands = {NUMBER: Strand("unit-1", {}, ()), 8: Strand("unit-1", {}, ())}
    mixed = rows_of(ENTRIES)
    follow([mixed[0], rows[0], *mixed[1:3], rows[1], *mixed[3:]], strands)
    assert [strand.held for strand in strands.values()] == [(LENGTH, ENTRIES[-1].digest), (2, other[-1].digest)]
    follow([rows[0]], strands)
    assert [strand.held is None for strand in strands.values()] == [False, True]

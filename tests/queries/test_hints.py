"""Hints on a planted set: all that was planted is found, what is innocent gives none, and nobody is given away."""

import itertools
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pikepdf
import pytest
from PIL import Image
from sqlalchemy import event, func, insert, select

from tests.city import NOW, at
from tests.halls import CHANGES, jpeg, photo
from tests.work import cycle_of, duty, queries_of
from tracker.domain.hints import BURST_FILES, FAR_DAYS, NEAR, HintKind, bands, distance
from tracker.domain.inspection import InspectionKind, InspectionState, MemberRole
from tracker.models import (
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    FileTrait,
    StoredFile,
)
from tracker.queries.hints import hints_on
from tracker.services import inspections
from tracker.services.file_traits import Traits, keep
from tracker.storage.samples import sample_docx, sample_pdf, sample_txt, sample_xlsx
from tracker.storage.traits import picture_hash, traits_of

CHECK = date(2026, 5, 20)
ACT, UPLOADED = date(2026, 3, 10), date(2026, 3, 11)
SEAT, ITEM, PERIOD = "D1-B1.P4-1", "L3-02", "M03"
PAGE = ["会议由支部书记主持，学习文件，讨论下一步工作，明确分工和完成时间，并安排专人记录。"] * 3


@cache
def traits_in(content: bytes, kind: str) -> Traits:
    """What the program that reads files works out of these bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        found = traits_of(path, kind)
    return Traits(found["picture"], None, found["characters"])


@cache
def photo_file(
    hall: int, shot: int = 0, change: str = "saved again", quality: int = 85, *, still: bool = False
) -> bytes:
    return jpeg(CHANGES[change](photo(hall, shot, still=still)), quality=quality)


@dataclass
class Cabinet:
    """Writes records and files as they would stand in the database, and a check of the first unit by Ines."""

    session: object
    city: object
    files: dict = field(default_factory=dict)
    numbers: Counter = field(default_factory=Counter)
    made: list = field(default_factory=list)

    def stored(self, content, kind, *, taken_on=None):
        """The row of these bytes, with its traits."""
        digest = sha256(content).hexdigest()
        if digest not in self.files:
            row = StoredFile(sha256=digest, size=len(content), media_type="", facts={"kind": kind}, stored_at=NOW)
            self.session.add(row)
            self.session.flush()
            found = traits_in(content, kind)
            keep(self.session, row.id, Traits(found.picture, taken_on, found.characters), now=NOW)
            self.files[digest] = row
        return self.files[digest]

    def duty(self, seat=SEAT, *, item=ITEM, period=PERIOD):
        """One more duty of that seat."""
        self.numbers[seat, period] += 1
        found = duty(self.city, seat, item, period, occurrence=self.numbers[seat, period])
        self.made.append(found)
        return found

    def record(self, *duties, act_on=ACT, uploaded_on=UPLOADED, files=(), organization=None, withdrawn=False):
        """A record that serves these duties, with files `(content, kind)` or `(content, kind, day of the camera)`."""
        organization = organization or duties[0].organization
        self.numbers[organization.code] += 1
        number, when = self.numbers[organization.code], at(uploaded_on)
        person = self.city.person("Asha")
        record = Evidence(
            key=f"2026.{organization.code}.{number}",
            number=number,
            cycle_id=cycle_of(self.session).id,
            unit_id=organization.unit_id,
            organization_id=organization.id,
            entered_by_id=person.id,
            entered_as="P4",
            entered_at=when,
            withdrawn=withdrawn,
        )
        self.session.add(record)
        self.session.flush()
        common = {"evidence_id": record.id, "recorded_at": when}
        said = {"act_on": act_on, "sentence": "开会学习", "sentence_sha256": "0" * 64, "counts": {}}
        self.session.add(EvidenceFact(**common, **said, withdrawn=withdrawn, entered_by_id=person.id))
        for one in duties:
            self.session.add(EvidenceLink(**common, duty_id=one.id, linked_by_id=person.id))
        for place, (content, kind, *taken) in enumerate(files, start=1):
            row = self.stored(content, kind, taken_on=taken[0] if taken else None)
            self.session.add(
                EvidenceFile(
                    **common,
                    stored_file_id=row.id,
                    name=f"附件{place}.{kind}",
                    location_removed=False,
                    uploaded_by_id=person.id,
                )
            )
        self.session.flush()
        return record

    def elsewhere(self, content, kind, *, unit="D2-B1", period=PERIOD, **more):
        """A record with that file, of a duty in another place."""
        days = {"act_on": date(2026, 1, 8), "uploaded_on": date(2026, 1, 9)} if period == "M01" else {}
        return self.record(self.duty(f"{unit}.P4-1", period=period), files=[(content, kind)], **days | more)

    def check(self, *units):
        """A check of these units; of their duties all those of D1 are in the sample."""
        return inspections.plan(
            self.session,
            cycle=cycle_of(self.session),
            plan=inspections.Plan(
                title="上半年督查",
                basis="年度工作安排",
                kind=InspectionKind.REGULAR,
                starts_on=CHECK,
                ends_on=date(2026, 5, 29),
                period_starts_on=date(2026, 1, 1),
                period_ends_on=date(2026, 6, 30),
                team=[(self.city.person("Ines"), MemberRole.LEADER)],
                units=[self.city.organizations[code] for code in units],
                picked=[one for one in self.made if one.unit.code == "D1"],
            ),
            actor=self.city.actor("Ines"),
            now=NOW,
        )


@pytest.fixture
def cabinet(session, city):
    return Cabinet(session, city)


def hints(cabinet, check, one):
    return hints_on(cabinet.session, cabinet.city.actor("Ines"), check, one)


def said(hint):
    return hint.sentence % hint.values


# -- the planted set ---------------------------------------------------------------------------------------------------


def plant(cabinet):
    """Every kind of hint several times, and what looks like it and is innocent; the expected kinds by duty."""
    expected = {}

    def case(*kinds, seat=SEAT, period=PERIOD, **how):
        one = cabinet.duty(seat, period=period)
        cabinet.record(one, **how)
        expected[one] = frozenset(kinds)
        return one

    _plant_same_files(cabinet, case)
    _plant_pictures(cabinet, case)
    _plant_days(case)
    _plant_documents(case)
    _plant_bursts(cabinet, case)
    return expected


def _plant_same_files(cabinet, case):
    for number, (unit, period) in enumerate([("D2-B1", "M03"), ("D2-B1", "M01"), ("D1-B1", "M01"), ("D1-B2", "M01")]):
        content = sample_docx(f"纪要{number}", PAGE)
        case(HintKind.SAME_FILE, files=[(content, "docx")])
        cabinet.elsewhere(content, "docx", unit=unit, period=period)
    shared = sample_docx("两个支部合办", PAGE)  # the same unit and the same period: one meeting of two branches
    case(files=[(shared, "docx")])
    cabinet.elsewhere(shared, "docx", unit="D1-B2")
    void = sample_docx("已撤回", PAGE)
    case(files=[(void, "docx")])
    cabinet.elsewhere(void, "docx", withdrawn=True)
    both = sample_docx("一份佐证用于两项任务", PAGE)
    first, second = cabinet.duty(), cabinet.duty(period="M01")
    cabinet.record(first, second, files=[(both, "docx")])
    flat = [jpeg(Image.new("RGB", (64, 48), (tone,) * 3)) for tone in (200, 210)]  # nothing to compare
    case(files=[(flat[0], "jpeg")])
    cabinet.elsewhere(flat[1], "jpeg")


def _plant_pictures(cabinet, case):
    for hall, change in enumerate(CHANGES):
        unit, period = [("D2-B1", "M03"), ("D1-B2", "M01")][hall % 2]
        case(HintKind.NEAR_PICTURE, files=[(photo_file(hall), "jpeg")])
        cabinet.elsewhere(photo_file(hall, change=change, quality=50), "jpeg", unit=unit, period=period)
    for hall, shot in itertools.product(range(20, 24), range(3)):  # the same hall, other people, another place in it
        case(files=[(photo_file(hall, shot), "jpeg")])
        cabinet.elsewhere(photo_file(hall, shot + 10), "jpeg", unit="D2-B1")
        cabinet.elsewhere(photo_file(hall, shot + 20), "jpeg", unit="D1-B2", period="M01")


def _plant_days(case):
    for days in (FAR_DAYS + 1, 60, -FAR_DAYS - 1):
        case(HintKind.ACT_FAR, act_on=UPLOADED - timedelta(days=days))
    for days in (0, 5, FAR_DAYS, -FAR_DAYS):
        case(act_on=UPLOADED - timedelta(days=days))
    for number, day in enumerate([date(2026, 2, 27), date(2026, 4, 2), date(2025, 3, 10)]):
        case(HintKind.CAMERA_OUTSIDE, files=[(photo_file(30 + number), "jpeg", day)])
    made_up = date(2026, 4, 7)
    for number, (day, act_on) in enumerate([(date(2026, 3, 1), ACT), (date(2026, 3, 31), ACT), (made_up, made_up)]):
        case(files=[(photo_file(40 + number), "jpeg", day)], act_on=act_on)


def _plant_documents(case):
    blank = BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(blank)
    thin = [(sample_docx("", []), "docx"), (sample_txt(["已学习，情况良好。"]), "txt"), (blank.getvalue(), "pdf")]
    for content, kind in thin:
        case(HintKind.THIN_DOCUMENT, files=[(content, kind)])
    full = [
        (sample_docx("记录", PAGE), "docx"),
        (sample_txt(PAGE), "txt"),
        (sample_pdf("扫描件", PAGE), "pdf"),
        (sample_xlsx("名册", [PAGE, PAGE]), "xlsx"),
    ]
    for content, kind in full:
        case(files=[(content, kind)])


def _plant_bursts(cabinet, case):
    """One branch uploads nine files in the two days and next to nothing before; a busy one always uploads as much."""
    for number in range(3):
        files = [(sample_txt([*PAGE, f"{number}-{place}"]), "txt") for place in range(3)]
        days = {"act_on": date(2026, 5, 15), "uploaded_on": CHECK - timedelta(days=1 + number % 2)}
        case(HintKind.BURST, seat="D1-B2.P4-1", period="M05", files=files, **days)
    branch = cabinet.city.organization("D1-B3", "忙碌的支部", parent="D1-M", level="L3")
    for week in range(8):
        often = [(sample_txt([*PAGE, f"平时{week}-{place}"]), "txt") for place in range(15)]
        cabinet.record(organization=branch, uploaded_on=CHECK - timedelta(days=5 + 7 * week), files=often)
    files = [(sample_txt([*PAGE, f"忙碌{place}"]), "txt") for place in range(BURST_FILES + 1)]
    days = {"act_on": date(2026, 5, 15), "uploaded_on": CHECK - timedelta(days=1)}
    case(seat="D1-B3.P4-1", period="M05", files=files, **days)
    case(period="M05", files=[(sample_txt([*PAGE, "一份"]), "txt")], **days)
    case(period="M05", files=[(sample_txt([*PAGE, "当天"]), "txt")], act_on=date(2026, 5, 15), uploaded_on=CHECK)


def test_all_that_was_planted_is_found_and_nothing_innocent_is(cabinet):
    expected = plant(cabinet)
    check = cabinet.check("D1")
    planted, found, wrong = Counter(), Counter(), []
    for one, kinds in expected.items():
        given = {hint.kind for hint in hints(cabinet, check, one)}
        planted.update(kinds)
        found.update(kinds & given)
        wrong += [(one.key, kind) for kind in given - kinds]
    assert planted == {
        HintKind.SAME_FILE: 4,
        HintKind.NEAR_PICTURE: len(CHANGES),
        HintKind.ACT_FAR: 3,
        HintKind.CAMERA_OUTSIDE: 3,
        HintKind.THIN_DOCUMENT: 3,
        HintKind.BURST: 3,
    }
    assert found == planted
    assert wrong == []
    assert sum(not kinds for kinds in expected.values()) == 29


def test_how_near_pictures_come_that_are_not_the_same():
    """Measured: of 528 pairs from one hall 1 is called near, and 20 of 120 where the camera never moved."""
    moved, still = Counter(), Counter()
    for hall in range(50, 58):
        for shots, counter in ((range(12), moved), (range(6), still)):
            hashes = [
                picture_hash(Image.open(BytesIO(photo_file(hall, shot, still=counter is still)))) for shot in shots
            ]
            counter.update(distance(one, other) <= NEAR for one, other in itertools.combinations(hashes, 2))
    assert (moved.total(), still.total()) == (528, 120)
    assert moved[True] <= 2
    assert still[True] <= 30


# -- who is told what --------------------------------------------------------------------------------------------------


@pytest.fixture
def twin(cabinet):
    """A duty of the first unit of which a file and a picture stand in the second one too."""
    one = cabinet.duty()
    content = sample_docx("纪要", PAGE)
    cabinet.record(one, files=[(content, "docx"), (photo_file(1), "jpeg")])
    there = cabinet.elsewhere(content, "docx", unit="D2-B1")
    near = cabinet.elsewhere(photo_file(1, change="made small"), "jpeg", unit="D2-B1")
    return one, there, near


def test_of_a_unit_out_of_scope_it_is_only_said_that_there_is_one(cabinet, twin):
    one, there, near = twin
    found = hints(cabinet, cabinet.check("D1"), one)
    assert [hint.kind for hint in found] == [HintKind.SAME_FILE, HintKind.NEAR_PICTURE]
    for hint in found:
        assert set(hint.values) == {"name"}
        assert hint.record is None
        assert "另一单位" in said(hint)
        for name in ("清河市水务局", "D2", there.key, near.key):
            assert name not in said(hint)


def test_of_a_unit_in_scope_the_record_is_named(cabinet, twin):
    one, there, near = twin
    found = hints(cabinet, cabinet.check("D1", "D2"), one)
    assert [(hint.kind, hint.record) for hint in found] == [
        (HintKind.SAME_FILE, there.key),
        (HintKind.NEAR_PICTURE, near.key),
    ]
    assert all("D2-B1 基层组织" in said(hint) and hint.record in said(hint) for hint in found)


def test_another_check_of_hers_makes_the_other_unit_seen_too(cabinet, twin):
    """What she may open in one check is no secret to her in the other."""
    one, there, _ = twin
    check = cabinet.check("D1")
    cabinet.check("D2")
    assert there.key in {hint.record for hint in hints(cabinet, check, one)}


@pytest.mark.parametrize("who", ["Ivan", "Adam", "Ada", "Asha", "Chen", "Dong", "Rong"])
def test_nobody_but_the_team_gets_hints(cabinet, twin, who):
    one, *_ = twin
    check = cabinet.check("D1")
    assert hints(cabinet, check, one)
    assert hints_on(cabinet.session, cabinet.city.actor(who), check, one) == []


def test_there_are_none_outside_the_sample_nor_after_the_close(cabinet, twin):
    one, *_ = twin
    check = cabinet.check("D1")
    outside = cabinet.duty()
    cabinet.record(outside, files=[(sample_txt(["好"]), "txt")])
    assert hints(cabinet, check, outside) == []
    check.state = InspectionState.CLOSED
    cabinet.session.flush()
    assert hints(cabinet, check, one) == []


def test_as_of_a_past_moment_what_came_later_is_not_known(cabinet, twin):
    one, *_ = twin
    check = cabinet.check("D1")
    actor = cabinet.city.actor("Ines")
    then = hints(cabinet, check, one)
    assert len(then) == 2
    cabinet.record(one, files=[(sample_txt(["好"]), "txt")], uploaded_on=date(2026, 5, 27))
    assert len(hints(cabinet, check, one)) == 4, "a thin document, and an act far from its upload"
    assert hints_on(cabinet.session, actor, check, one, as_of=NOW) == then


def test_a_record_taken_off_and_a_sealed_file_give_none(cabinet, twin):
    one, there, near = twin
    check = cabinet.check("D1")
    for row in cabinet.session.scalars(select(EvidenceFile).where(EvidenceFile.evidence_id == there.id)):
        row.superseded_at = NOW
    fact = cabinet.session.scalars(select(EvidenceFact).where(EvidenceFact.evidence_id == near.id)).one()
    fact.superseded_at = NOW
    cabinet.session.flush()
    assert hints(cabinet, check, one) == []


# -- how much is asked -------------------------------------------------------------------------------------------------


def test_many_files_ask_no_more_than_one(cabinet):
    few, many = cabinet.duty(), cabinet.duty()
    cabinet.record(few, files=[(photo_file(1), "jpeg")])
    cabinet.record(many, files=[(photo_file(hall), "jpeg") for hall in range(2, 14)])
    cabinet.elsewhere(photo_file(1, change="made small"), "jpeg")
    cabinet.elsewhere(photo_file(2, change="made small"), "jpeg")
    check, ines = cabinet.check("D1"), cabinet.city.actor("Ines")
    with queries_of(cabinet.session) as first:
        assert hints_on(cabinet.session, ines, check, few)
    with queries_of(cabinet.session) as second:
        assert hints_on(cabinet.session, ines, check, many)
    assert len(second) == len(first) <= 7


def fill(session, count):
    """So many other pictures, with hashes as chance gives them."""
    rng, start = Random(7), session.scalar(select(func.coalesce(func.max(StoredFile.id), 0)))
    files = [
        {"id": start + n, "sha256": f"{n:064x}", "size": 1, "media_type": "", "facts": {}, "stored_at": NOW}
        for n in range(1, count + 1)
    ]
    session.execute(insert(StoredFile), files)
    traits = []
    for row in files:
        picture = f"{rng.getrandbits(64):016x}"
        parts = {f"band_{n}": part for n, part in enumerate(bands(picture), start=1)}
        traits.append({"stored_file_id": row["id"], "picture": picture, "made_at": NOW, **parts})
    session.execute(insert(FileTrait), traits)


def test_near_pictures_are_looked_up_in_the_index_of_a_large_table(cabinet):
    one = cabinet.duty()
    cabinet.record(one, files=[(photo_file(3), "jpeg")])
    cabinet.elsewhere(photo_file(3, change="cropped a little"), "jpeg")
    check = cabinet.check("D1")
    fill(cabinet.session, 20_000)
    cabinet.session.connection().exec_driver_sql("ANALYZE file_trait")
    with lookups(cabinet.session) as sent:
        [hint] = hints(cabinet, check, one)
    assert hint.kind is HintKind.NEAR_PICTURE
    [lookup] = sent
    plan = explained(cabinet.session, *lookup)
    assert all(f"ix_file_trait_band_{number}" in plan for number in range(1, 6)), plan
    assert "SCAN file_trait" not in plan
    assert "Seq Scan" not in plan


@contextmanager
def lookups(session):
    """The statements by which the block looks pictures up, with their parameters."""
    seen = []

    def note(*arguments):
        if "band_1" in arguments[2]:
            seen.append(arguments[2:4])

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)


def explained(session, statement, parameters):
    """How the database carries a statement out."""
    how = "EXPLAIN" if session.get_bind().dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    rows = session.connection().exec_driver_sql(f"{how} {statement}", parameters)
    return "\n".join(str(row) for row in rows)

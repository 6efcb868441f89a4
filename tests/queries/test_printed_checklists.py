from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from tests.city import NOW, TODAY, City
from tests.years import opened
from tracker.domain.applicability import DecisionKind
from tracker.domain.report import ChecklistLine, PostChecklist, Provenance
from tracker.models import Cycle
from tracker.queries.checklists import checklist_of
from tracker.queries.printed_checklists import list_of_organization, list_of_post
from tracker.services import assignments


def provenance(cycle: Cycle) -> Provenance:
    version = cycle.checklist_version
    return Provenance(
        as_of=NOW,
        checklist_key=version.key,
        checklist_title=version.title,
        checklist_version=version.version,
        checklist_digest=version.sha256,
    )


def lines_of(report: PostChecklist) -> dict[str, ChecklistLine]:
    return {line.item: line for group in report.groups for line in group.lines}


def test_the_list_of_a_post_holds_its_items_and_no_others(session: Session, city: City) -> None:
    cycle = opened(session)
    checklist = checklist_of(cycle.checklist_version)
    report = list_of_post(checklist, "P4", provenance=provenance(cycle))
    assert set(lines_of(report)) == {item.id for item in checklist.items if item.post == "P4" and not item.retired}
    assert report.post == checklist.post["P4"].name


def test_the_list_of_a_seat_shows_its_holder_and_the_decisions_with_who_and_why(session: Session, city: City) -> None:
    cycle = opened(session)
    branch, seat = city.organizations["D1-B1"], city.seats["D1-B1.P4-1"]
    for item_id, kind, times in (("L3-01", DecisionKind.OFF, None), ("L3-02", DecisionKind.MORE, 6)):
        assignments.decide(
            session,
            cycle=cycle,
            organization=branch,
            kind=kind,
            item_id=item_id,
            times=times,
            reason=f"{item_id} 的理由",
            effective_from=TODAY,
            actor=city.actor("Chen"),
            now=NOW,
        )
    printed = {"cycle": cycle, "on": TODAY, "provenance": provenance(cycle), "seat": seat}
    report = list_of_organization(session, branch, **printed)
    lines = lines_of(report)
    assert report.holders == ("Asha（2024-01-01起）",)
    assert report.organization == branch.name
    assert lines["L3-01"].switched_off
    assert (lines["L3-01"].decided_by, lines["L3-01"].decided_on) == ("Chen", TODAY)
    assert "L3-01 的理由" in lines["L3-01"].decision
    assert "6" in lines["L3-02"].decision
    assert sum(bool(line.decision) for line in lines.values()) == 2
    before = lines_of(list_of_organization(session, branch, as_of=NOW - timedelta(1), **printed))
    assert not before["L3-01"].switched_off

from __future__ import annotations

from threading import Thread

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.years import SOURCE, published
from tracker.domain.actor import operator
from tracker.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from tracker.models import ChecklistVersion, LogEntry
from tracker.queries.checklists import checklist_of, latest, version_of
from tracker.services import checklists

NEXT = SOURCE.replace(b'version: "2026.1"', b'version: "2026.2"')


def test_adam_publishes_a_list_and_twice_is_once(session: Session, city: City) -> None:
    adam = city.actor("Adam")
    first = checklists.publish(session, SOURCE, actor=adam, now=NOW)
    assert checklists.publish(session, SOURCE, actor=adam, now=NOW) is first
    assert len(session.scalars(select(LogEntry).where(LogEntry.verb == "publish")).all()) == 1
    assert first.published_by_id == adam.person_id
    assert checklist_of(first).key == first.key == "sanji-sigang"


def test_a_published_version_never_changes(session: Session, city: City) -> None:
    published(session)
    with pytest.raises(Conflict, match="新的版本号"):
        checklists.publish(session, SOURCE + b"# later\n", actor=operator(), now=NOW)


def test_the_latest_version_is_the_one_published_last(session: Session, city: City) -> None:
    first = published(session)
    second = checklists.publish(session, NEXT, actor=operator(), now=NOW)
    assert latest(session, "sanji-sigang") is second
    assert version_of(session, "sanji-sigang", first.version) is first
    with pytest.raises(NotFound):
        latest(session, "nothing")
    with pytest.raises(NotFound):
        version_of(session, "sanji-sigang", "0")


def test_a_list_with_errors_is_not_published(session: Session, city: City) -> None:
    with pytest.raises(Invalid):
        checklists.publish(session, b"key: x\n", actor=operator(), now=NOW)
    with pytest.raises(NotAllowed):
        checklists.publish(session, SOURCE, actor=city.actor("Asha"), now=NOW)
    assert session.scalars(select(ChecklistVersion)).all() == []


def test_a_new_version_drops_no_item(session: Session, city: City) -> None:
    version = published(session)
    first = checklist_of(version).items[0].id
    renamed = NEXT.replace(f"id: {first}\n".encode(), b"id: Z-99\n")
    with pytest.raises(Invalid, match=first):
        checklists.publish(session, renamed, actor=operator(), now=NOW)


def test_many_threads_read_the_same_list(session: Session, city: City) -> None:
    version = published(session)
    found: list[object] = []
    threads = [Thread(target=lambda: found.append(checklist_of(version))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(one is found[0] for one in found)

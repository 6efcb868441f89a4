"""The draw behind a sample: from what, by which rule and seed, with what left out; anybody can draw it again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Json, Recorded, one_in_force


class InspectionDraw(Recorded):
    """How the sample of a check was drawn.

    `rule` is the stratification and its share or number; `strata` what each stratum held and gave; `excluded` the keys
    left out, each with its reason. `population` holds the sorted keys of the duties, compressed by zlib: a line each,
    the key, a tab and the number of its stratum, counted from 1 in the order of `strata`.
    """

    __tablename__ = "inspection_draw"
    __table_args__ = (
        one_in_force("inspection_draw", "inspection_id"),
        CheckConstraint("population_size >= picked_size", name="no_more_than_there_are"),
    )
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"))
    seed: Mapped[str]
    rule: Mapped[dict[str, Any]]
    strata: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    excluded: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    population: Mapped[bytes] = mapped_column(LargeBinary)
    population_size: Mapped[int]
    population_sha256: Mapped[str]
    picked_size: Mapped[int]
    picked_sha256: Mapped[str]
    drawn_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

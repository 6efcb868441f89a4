"""Everything that the worker can be asked for, by the kind of its job."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.tasks.documents import WORKS as DOCUMENT_WORKS
from tracker.tasks.packets import PACKET_WORKS
from tracker.tasks.papers import PAPER_WORKS
from tracker.tasks.worker import Work

WORKS: Mapping[str, Work] = {**DOCUMENT_WORKS, **PACKET_WORKS, **PAPER_WORKS}

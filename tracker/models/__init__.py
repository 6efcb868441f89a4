"""WHAT IS STORED. Typed tables and named constraints; no Flask."""

from tracker.models import guards
from tracker.models.base import Base, Recorded
from tracker.models.checklist import ChecklistVersion
from tracker.models.cycle import Cycle, CycleState, DayOverride, Decision
from tracker.models.duty import Duty, DutyPlan
from tracker.models.evidence import Evidence, EvidenceFact, EvidenceFile, EvidenceLink, StoredFile
from tracker.models.inspection import (
    Finding,
    FindingFact,
    Inspection,
    InspectionDuty,
    InspectionFact,
    InspectionMember,
    InspectionUnit,
    Overrule,
    RectificationStep,
    Verdict,
)
from tracker.models.job import Job, JobState
from tracker.models.log import AccessLog, LogChain, LogEntry, LogPayload
from tracker.models.organization import Organization, OrganizationAncestor, OrganizationFact
from tracker.models.person import Account, Appointment, Person, PersonFact, Role, Seal, SealState, Seat
from tracker.models.sign_off import Handover, HandoverSignature, SignOff, SignOffDoer

__all__ = [
    "AccessLog",
    "Account",
    "Appointment",
    "Base",
    "ChecklistVersion",
    "Cycle",
    "CycleState",
    "DayOverride",
    "Decision",
    "Duty",
    "DutyPlan",
    "Evidence",
    "EvidenceFact",
    "EvidenceFile",
    "EvidenceLink",
    "Finding",
    "FindingFact",
    "Handover",
    "HandoverSignature",
    "Inspection",
    "InspectionDuty",
    "InspectionFact",
    "InspectionMember",
    "InspectionUnit",
    "Job",
    "JobState",
    "LogChain",
    "LogEntry",
    "LogPayload",
    "Organization",
    "OrganizationAncestor",
    "OrganizationFact",
    "Overrule",
    "Person",
    "PersonFact",
    "Recorded",
    "RectificationStep",
    "Role",
    "Seal",
    "SealState",
    "Seat",
    "SignOff",
    "SignOffDoer",
    "StoredFile",
    "Verdict",
    "guards",
]

"""WHAT IS STORED. Typed tables and named constraints; no Flask."""

from tracker.models import guards
from tracker.models.base import Base, Recorded
from tracker.models.checklist import ChecklistVersion
from tracker.models.circular import CircularText
from tracker.models.cycle import Cycle, CycleState, DayOverride, Decision
from tracker.models.desk import DeskHold, FrequentReason
from tracker.models.duty import Duty, DutyPlan
from tracker.models.duty_count import DutyCount
from tracker.models.evidence import Evidence, EvidenceFact, EvidenceFile, EvidenceLink, FileTrait, StoredFile
from tracker.models.good_practice import GoodPractice, GoodPracticeStep
from tracker.models.inspection import (
    Finding,
    FindingFact,
    Inspection,
    InspectionDuty,
    InspectionFact,
    InspectionMember,
    InspectionUnit,
    Overrule,
    Verdict,
)
from tracker.models.job import Job, JobState
from tracker.models.log import AccessLog, LogChain, LogEntry, LogPayload
from tracker.models.organization import Organization, OrganizationAncestor, OrganizationFact
from tracker.models.person import Account, Appointment, Person, PersonFact, Role, Seal, SealState, Seat
from tracker.models.rectification import LookBackDraw, LookBackFinding, LookBackVerdict, RectificationStep
from tracker.models.sampling import InspectionDraw
from tracker.models.self_check import SelfCheckHandIn, SelfCheckLine
from tracker.models.sign_off import Handover, HandoverSignature, SignOff, SignOffDoer

__all__ = [
    "AccessLog",
    "Account",
    "Appointment",
    "Base",
    "ChecklistVersion",
    "CircularText",
    "Cycle",
    "CycleState",
    "DayOverride",
    "Decision",
    "DeskHold",
    "Duty",
    "DutyCount",
    "DutyPlan",
    "Evidence",
    "EvidenceFact",
    "EvidenceFile",
    "EvidenceLink",
    "FileTrait",
    "Finding",
    "FindingFact",
    "FrequentReason",
    "GoodPractice",
    "GoodPracticeStep",
    "Handover",
    "HandoverSignature",
    "Inspection",
    "InspectionDraw",
    "InspectionDuty",
    "InspectionFact",
    "InspectionMember",
    "InspectionUnit",
    "Job",
    "JobState",
    "LogChain",
    "LogEntry",
    "LogPayload",
    "LookBackDraw",
    "LookBackFinding",
    "LookBackVerdict",
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
    "SelfCheckHandIn",
    "SelfCheckLine",
    "SignOff",
    "SignOffDoer",
    "StoredFile",
    "Verdict",
    "guards",
]

"""What identity offers stewards, and citizens who contest a record: the surface of the API and of the portal."""

from registry.identity.comparison import COMPARED, SENSITIVE, Case, FieldComparison, Rival, Said, read_case
from registry.identity.contests import Claim, Claimant, contest, list_contests, withdraw
from registry.identity.deciding import Judgement, decide, merge, split
from registry.identity.decisions import REASONS, Decision, Grounds, get_decision, list_decisions, read_note
from registry.identity.effects import Effects, preview
from registry.identity.seconding import confirm, refuse
from registry.identity.stewards import Steward, handle_of, is_steward, require_steward
from registry.identity.timeline import PastPerson, list_history, person_at
from registry.identity.undoing import undo
from registry.identity.worklist import CaseLine, Filters, assign, count_cases, list_cases, release, take

__all__ = [
    "COMPARED",
    "REASONS",
    "SENSITIVE",
    "Case",
    "CaseLine",
    "Claim",
    "Claimant",
    "Decision",
    "Effects",
    "FieldComparison",
    "Filters",
    "Grounds",
    "Judgement",
    "PastPerson",
    "Rival",
    "Said",
    "Steward",
    "assign",
    "confirm",
    "contest",
    "count_cases",
    "decide",
    "get_decision",
    "handle_of",
    "is_steward",
    "list_cases",
    "list_contests",
    "list_decisions",
    "list_history",
    "merge",
    "person_at",
    "preview",
    "read_case",
    "read_note",
    "refuse",
    "release",
    "require_steward",
    "split",
    "take",
    "undo",
    "withdraw",
]

"""What two records say of names and DNIs, for who may sign in and who may stay: no weight decides that."""

from matching.compare import compare_documents
from matching.compare_names import compare_given, compare_surnames
from matching.levels import DIFFERENT, MISSING
from matching.normalise import Normalised
from matching.records import DocumentType

PARTIAL = "partial"


def dnis(record: Normalised) -> frozenset[str]:
    """The DNI numbers a record carries; a human has one."""
    return frozenset(one.number for one in record.documents if one.type is DocumentType.DNI)


def names_agree(record: Normalised, holder: Normalised) -> bool:
    """Every given name of the shorter agrees, no surname differs, and where both have surnames one of them agrees."""
    given, _ = compare_given(record, holder)
    (paternal, _), (maternal, _), _ = compare_surnames(record, holder)
    surnames = {paternal, maternal} - {MISSING}
    agreed = given not in {MISSING, DIFFERENT, PARTIAL}
    return agreed and DIFFERENT not in surnames and bool(surnames or not holder.paternal)


def names_agree_fully(record: Normalised, holder: Normalised) -> bool:
    """Both surnames and all given names are the same, or sound the same, in their places."""
    mine = (record.paternal_code, record.maternal_code, record.given_codes)
    theirs = (holder.paternal_code, holder.maternal_code, holder.given_codes)
    return bool(holder.paternal_code and holder.given_codes) and mine == theirs


def names_contradict(one: Normalised, other: Normalised) -> bool:
    """A given name or a surname that both have is another one; what is missing contradicts nothing."""
    given, _ = compare_given(one, other)
    (paternal, _), (maternal, _), _ = compare_surnames(one, other)
    return given in {DIFFERENT, PARTIAL} or DIFFERENT in {paternal, maternal}


def documents_contradict(one: Normalised, other: Normalised) -> bool:
    """Both carry a document of a kind a human has one of, and no slip of a key explains the difference."""
    return compare_documents(one, other) == DIFFERENT


def exchanged_dni(before: Normalised, now: Normalised) -> bool:
    """A record named one DNI and now names another."""
    return bool(dnis(before)) and bool(dnis(now)) and dnis(before).isdisjoint(dnis(now))


def speaks_of_another(before: Normalised, now: Normalised) -> bool:
    """A version of a record names another DNI, or other names, than a later one."""
    return exchanged_dni(before, now) or documents_contradict(before, now) or names_contradict(before, now)

"""What holders sent as items of a summary: the same thing said twice is one item with two origins."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from consent_broker.exchange.service import Record
from consent_broker.oauth.holder_tokens import Holder

Json = dict[str, Any]
ABSENT = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
SNOMED = "http://snomed.info/sct"
NO_KNOWN = frozenset({
    (ABSENT, "no-known-allergies"), (ABSENT, "no-known-medication-allergies"),
    (ABSENT, "no-known-food-allergies"), (ABSENT, "no-known-environmental-allergies"),
    (ABSENT, "no-known-medications"), (ABSENT, "no-known-problems"), (ABSENT, "no-known-immunizations"),
    (SNOMED, "716186003"), (SNOMED, "409137002"), (SNOMED, "429625007"), (SNOMED, "428607008"),
    (SNOMED, "160245001"), (SNOMED, "787481004"),
})  # fmt: skip
"""Statements that there is none: somebody asked, and the answer was no."""

NO_INFORMATION = frozenset({
    (ABSENT, "no-allergy-info"), (ABSENT, "no-medication-info"), (ABSENT, "no-problem-info"),
    (ABSENT, "no-immunization-info"),
})  # fmt: skip
"""Statements that nobody knows: as good as an empty list."""

CONCEPTS: Mapping[str, str] = MappingProxyType({
    "AllergyIntolerance": "code",
    "Condition": "code",
    "Immunization": "vaccineCode",
    "MedicationStatement": "medicationCodeableConcept",
})  # fmt: skip
"""Type to the element that says what an item is."""

DATES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "AllergyIntolerance": ("onsetDateTime", "recordedDate"),
    "Condition": ("onsetDateTime", "onsetPeriod", "recordedDate"),
    "Immunization": ("occurrenceDateTime", "recorded"),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod", "dateAsserted"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One fact of a summary: the resource that says most of it, its address there, and every holder that says it."""

    resource: Json
    url: str
    origins: tuple[tuple[Holder, str], ...]

    @property
    def type(self) -> str:
        """Its FHIR type."""
        return str(self.resource["resourceType"])

    @property
    def codes(self) -> frozenset[tuple[str, str]]:
        """What it is, as (system, code)."""
        return codes_of(self.resource.get(CONCEPTS[self.type]))

    @property
    def text(self) -> str:
        """What it is, in words."""
        return text_of(self.resource.get(CONCEPTS[self.type])) or text_of(self.resource.get("medicationReference"))

    @property
    def day(self) -> str:
        """When it happened or was recorded, as precisely as it is known."""
        return day_of(self.resource)

    @property
    def status(self) -> str:
        """Its clinical status, or its status where the type has no other."""
        return status_of(self.resource)

    @property
    def denies(self) -> bool:
        """Whether it says that there is none."""
        return bool(self.codes & NO_KNOWN)

    @property
    def active(self) -> bool:
        """Whether it is of today: neither ended, refuted, nor a statement that there is none."""
        over = {"inactive", "resolved", "stopped", "completed", "not-taken", "cancelled", "refuted"}
        return (
            not self.denies and self.status not in over and _code(self.resource.get("verificationStatus")) not in over
        )


def items_of(records: Iterable[Record]) -> list[Item]:
    """The items in what holders sent, the newest first. Equal are two of one type that share a code (or, without any,
    their words), with the same day and status; what was entered in error or says nothing is left out."""
    groups: list[list[tuple[Json, str, Holder]]] = []
    known: dict[tuple[str, ...], int] = {}
    for found in records:
        if found.resource_type not in CONCEPTS or _says_nothing(found.resource):
            continue
        keys = list(_keys(found.resource))
        index = next((known[key] for key in keys if key in known), len(groups))
        if index == len(groups):
            groups.append([])
        groups[index].append((found.resource, origin_of(found), found.holder))
        known |= dict.fromkeys(keys, index)
    return sorted((_item(group) for group in groups), key=lambda one: (one.day, one.url), reverse=True)


def origin_of(found: Record) -> str:
    """Where a resource can be read at its holder."""
    base, identifier = found.holder.endpoint or "", found.resource.get("id")
    return f"{base}/{found.resource_type}/{identifier}" if isinstance(identifier, str) else base


def _item(group: list[tuple[Json, str, Holder]]) -> Item:
    """The one that says most stands for all; of two that say as much, the first."""
    fullest = max(group, key=lambda one: len(one[0]))
    origins = dict.fromkeys((holder, url) for _, url, holder in group)
    return Item(fullest[0], fullest[1], tuple(origins))


def _keys(resource: Json) -> Iterator[tuple[str, ...]]:
    kind = str(resource["resourceType"])
    rest = (day_of(resource), status_of(resource), _code(resource.get("verificationStatus")))
    concept = resource.get(CONCEPTS[kind]) or resource.get("medicationReference")
    codes = codes_of(concept)
    for system, code in sorted(codes):
        yield (kind, system, code, *rest)
    if not codes:
        yield (kind, "", fold(text_of(concept)), *rest)


def _says_nothing(resource: Json) -> bool:
    wrong = "entered-in-error" in {status_of(resource), _code(resource.get("verificationStatus"))}
    concept = resource.get(CONCEPTS[str(resource["resourceType"])])
    return wrong or bool(codes_of(concept) & NO_INFORMATION)


def codes_of(concept: Any) -> frozenset[tuple[str, str]]:
    """The codings of a CodeableConcept that name system and code."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    found = [one for one in codings if isinstance(one, dict)] if isinstance(codings, list) else []
    return frozenset((str(one["system"]), str(one["code"])) for one in found if one.get("system") and one.get("code"))


def text_of(concept: Any) -> str:
    """The words of a CodeableConcept or a Reference."""
    if not isinstance(concept, dict):
        return ""
    codings = concept.get("coding")
    first = codings[0] if isinstance(codings, list) and codings and isinstance(codings[0], dict) else {}
    words = (concept.get("text"), concept.get("display"), first.get("display"), first.get("code"))
    return next((one.strip() for one in words if isinstance(one, str) and one.strip()), "")


def day_of(resource: Json) -> str:
    """The first of its type's dates that is there, to the day."""
    for name in DATES[str(resource["resourceType"])]:
        value = resource.get(name)
        value = value.get("start") if isinstance(value, dict) else value
        if isinstance(value, str):
            return value[:10]
    return ""


def status_of(resource: Json) -> str:
    """The clinical status of an allergy or a problem, the status of anything else."""
    return _code(resource.get("clinicalStatus")) or _code(resource.get("status"))


def fold(text: str) -> str:
    """Words as they are compared: small letters, no accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(one if one.isalnum() else " " for one in plain if not unicodedata.combining(one)).split())


def _code(value: Any) -> str:
    if isinstance(value, str):
        return value
    return next((code for _, code in sorted(codes_of(value))), "")

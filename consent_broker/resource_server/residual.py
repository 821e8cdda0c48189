"""Withholding what a token's `residual` forbids (IHE PCF): what an item is about, and whether a rule matches it.

Fails closed: a rule with a member this code does not know matches whatever its other members match, an item of unknown
date is of every date, and a sensitivity nobody here has heard of is `R`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from consent_broker.resource_server.naming import apart, names_in, own_names, reference_of, spelled, together
from consent_broker.resource_server.reading import Allowance

NORMAL, RESTRICTED = "N", "R"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SENSITIVITY = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_KNOWN = frozenset({"ETH", "ETHUD", "OPIOIDUD", "PSY", "SDV", "HIV", "STD", "SEX", "GDIS", "ADOL"})
_ORDINARY = frozenset({"U", "L", "M", "N"})
_LIMA = timezone(timedelta(hours=-5))
_DAY = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?(T\S+)?")
_WHEN = {
    "AllergyIntolerance": ("recordedDate", "onsetDateTime", "onsetPeriod", "lastOccurrence"),
    "Condition": ("recordedDate", "onsetDateTime", "onsetPeriod"),
    "Encounter": ("period",),
    "Immunization": ("occurrenceDateTime", "recorded"),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod", "dateAsserted"),
}
"""The elements that say when an item happened or was recorded, the first one present counts."""

RECORD_TYPES = frozenset(_WHEN)
"""The FHIR types records are read as."""

Days = tuple[date, date]
Entry = Mapping[str, Any]
"""An entry of a Bundle: `resource`, a FHIR resource, and `fullUrl` where it has one."""

_Meant = tuple[frozenset[str], frozenset[str]] | None
"""What a rule's data name: the items alone, and those with whatever names them; None for any item."""

ALWAYS: Days = (date.min, date.max)
_OF_MANY = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization", "Location"})
"""Whom and where everything names: what names one that is withheld tells nothing of it."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a rule forbids, read once however many entries there are; None where it narrows nothing."""

    classes: list[Any] | None = None
    labels: frozenset[Any] | None = None
    days: Days | None = None
    meant: _Meant = None


class _Names:
    """What a resource names, looked up when first asked for and once, however many rules ask."""

    __slots__ = ("_allowance", "_found", "_named_by")

    def __init__(self, named_by: Mapping[str, Any], allowance: Allowance) -> None:
        self._named_by, self._allowance = named_by, allowance
        self._found: frozenset[str] | None = None

    def __call__(self) -> frozenset[str]:
        if self._found is None:
            self._found = names_in(self._named_by, self._allowance)
        return self._found


def flows(resource: Mapping[str, Any], residual: Iterable[Any]) -> bool:
    """Whether a FHIR resource may be released: no rule forbids it."""
    return _flows(resource, _read(residual), _Names(resource, Allowance()))


def release(entries: Sequence[Entry], residual: Sequence[Any]) -> list[Entry]:
    """The entries of a Bundle that may leave together: each flows, and names none that does not or is left for that.

    What names a withheld item, or is a copy of it, would tell what it says.
    """
    allowance = Allowance()
    rules, names = _read(residual), [_Names(one, allowance) for one in entries]
    kept = [_flows(one["resource"], rules, named) for one, named in zip(entries, names, strict=True)]
    waiting = [place for place, flowing in enumerate(kept) if not flowing and _tells(entries[place])]
    naming = _naming(names) if waiting else {}
    while waiting:
        for name in _names_of(entries[waiting.pop()]):
            also = [place for place in naming.pop(name, ()) if kept[place]]
            waiting += also
            for place in also:
                kept[place] = False
    return [one for one, flowing in zip(entries, kept, strict=True) if flowing]


def _read(residual: Iterable[Any]) -> list[_Rule]:
    return [_rule(one) for one in residual]


def _rule(rule: Any) -> _Rule:
    """What nobody understands forbids everything."""
    if not isinstance(rule, dict) or rule.get("type") != "forbid":
        return _Rule()
    classes, labels, period = rule.get("class"), rule.get("securityLabel"), rule.get("dataPeriod")
    return _Rule(
        classes if isinstance(classes, list) else None,
        frozenset(one.get("code") for one in labels if isinstance(one, dict)) if isinstance(labels, list) else None,
        _period(period) if isinstance(period, dict) else None,
        _all_meant(rule.get("data")),
    )


def _period(period: Mapping[str, Any]) -> Days:
    """The days of a rule; an end that can't be read is none."""
    start, end = _days(period.get("start")) or ALWAYS, _days(period.get("end")) or ALWAYS
    return start[0], end[1]


def _flows(resource: Mapping[str, Any], rules: Iterable[_Rule], names: _Names) -> bool:
    return not any(_matches(rule, resource, names) for rule in rules)


def _tells(entry: Entry) -> bool:
    return str(entry["resource"].get("resourceType")) not in _OF_MANY


def _naming(names: Iterable[_Names]) -> dict[str, list[int]]:
    """Each name, and the places of the entries it is in."""
    found = defaultdict[str, list[int]](list)
    for place, named in enumerate(names):
        for name in named():
            found[name].append(place)
    return found


def _names_of(entry: Entry) -> frozenset[str]:
    """What an entry's resource may be called, also within the Bundle."""
    url = entry.get("fullUrl")
    within = names_in({"fullUrl": url}) if isinstance(url, str) else frozenset[str]()
    return within.union(*map(spelled, own_names(entry["resource"])))


def dependents(names: Iterable[str]) -> list[dict[str, Any]]:
    """A rule's data: the items of these names, and whatever names them."""
    return [{"meaning": "dependents", "reference": {"reference": one}} for one in together(names)]


def labels_of(resource: Mapping[str, Any]) -> frozenset[str]:
    """The sensitivity of an item by `meta.security`, and of what it contains: its labels; `R` or `N` without any."""
    contained = resource.get("contained")
    inside = [one for one in contained if isinstance(one, dict)] if isinstance(contained, list) else []
    found = frozenset[str]().union(*map(_security, (resource, *inside)))
    return (found - {RESTRICTED}) or found or frozenset({NORMAL})


def days_of(resource: Mapping[str, Any]) -> Days:
    """The first and last day, in Lima, an item is about; every day where that can't be told."""
    elements = _WHEN.get(str(resource.get("resourceType")), ())
    value = next((resource[name] for name in elements if resource.get(name) is not None), None)
    if isinstance(value, dict):
        start = _days(value.get("start"))
        end = _days(value.get("end")) if value.get("end") is not None else start
        return (start[0], end[1]) if start and end and start[0] <= end[1] else ALWAYS
    return _days(value) or ALWAYS


def _security(resource: Mapping[str, Any]) -> frozenset[str]:
    meta = resource.get("meta", {})
    security = meta.get("security") if isinstance(meta, dict) else RESTRICTED
    if security is None:
        return frozenset()
    return frozenset[str]().union(*map(_labels, security)) if isinstance(security, list) else frozenset({RESTRICTED})


def _labels(coding: Any) -> frozenset[str]:
    if not isinstance(coding, dict):
        return frozenset({RESTRICTED})
    system, code = coding.get("system"), coding.get("code")
    if not isinstance(code, str | None):
        return frozenset({RESTRICTED})
    if system == CONFIDENTIALITY:
        return frozenset() if code in _ORDINARY else frozenset({RESTRICTED})
    if system == SENSITIVITY:
        return frozenset({code}) if code in _KNOWN else frozenset({RESTRICTED})
    return frozenset()


def _days(value: Any) -> Days | None:
    """A FHIR date or dateTime of any precision."""
    match = _DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        if match[4]:
            instant = datetime.fromisoformat(match[0])
            day = (instant.astimezone(_LIMA) if instant.tzinfo else instant).date()
            return day, day
        return _span(int(match[1]), match[2] and int(match[2]), match[3] and int(match[3]))
    except (ValueError, OverflowError):
        return None


def _span(year: int, month: Any, day: Any) -> Days:
    if day:
        return date(year, month, day), date(year, month, day)
    if month:
        following = date(year + month // 12, month % 12 + 1, 1)
        return date(year, month, 1), following - timedelta(days=1)
    return date(year, 1, 1), date(year, 12, 31)


def _matches(rule: _Rule, resource: Mapping[str, Any], names: _Names) -> bool:
    return (
        (rule.classes is None or resource.get("resourceType") in rule.classes)
        and (rule.labels is None or not rule.labels.isdisjoint(labels_of(resource)))
        and (rule.days is None or _within(rule.days, resource))
        and _named(rule.meant, resource, names)
    )


def _within(days: Days, resource: Mapping[str, Any]) -> bool:
    """Whether one of the item's days is one of these."""
    first, last = days_of(resource)
    return first <= days[1] and days[0] <= last


def _named(meant: _Meant, resource: Mapping[str, Any], names: _Names) -> bool:
    """Whether the rule's data name the item."""
    if meant is None or reference_of(resource) in meant[0]:
        return True
    return bool(meant[1]) and not meant[1].isdisjoint(names())


def _all_meant(data: Any) -> _Meant:
    """A relation other than these two may mean any."""
    meant = [_meant(one) for one in data] if isinstance(data, list) else [None]
    if None in meant:
        return None
    named = [one for one in meant if one]
    alone = (names for meaning, names in named if meaning == "instance")
    with_dependents = (spelled(name) for meaning, names in named if meaning == "dependents" for name in names)
    return frozenset[str]().union(*alone), frozenset[str]().union(*with_dependents)


def _meant(one: Any) -> tuple[str, frozenset[str]] | None:
    """`instance` and the item, or `dependents` for whatever refers to it too (FHIR ConsentDataMeaning); else None."""
    reference, meaning = (one.get("reference"), one.get("meaning")) if isinstance(one, dict) else (None, None)
    named = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(named, str):
        return None
    if meaning == "instance":
        return meaning, frozenset({named})
    names = apart(named) if meaning == "dependents" else frozenset[str]()
    return ("dependents", names) if names else None

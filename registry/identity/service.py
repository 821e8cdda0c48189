"""What identity offers the other rooms; what it offers stewards and citizens is in `stewardship`."""

from registry.identity.arrivals import Registration
from registry.identity.candidates import LoadedMember, LoadedPerson
from registry.identity.contents import Content
from registry.identity.deaths import LIFE, is_deceased
from registry.identity.engine import Engine, engine_of
from registry.identity.persons import (
    bears_document,
    born_of,
    find_citizen,
    find_person,
    get_person,
    list_person_ids,
    load_person,
    preferred_demographics,
    preferred_of,
    regrouped_since,
    resolve_replaced,
    stands_for_itself,
)
from registry.identity.records import OwnRecord, find_own_record
from registry.identity.registration import Outcome, VersionMismatch, register_source_record
from registry.identity.search import (
    Match,
    SearchTooWide,
    find_by_local_number,
    find_by_source_record,
    find_candidates,
    match,
)

__all__ = [
    "LIFE",
    "Content",
    "Engine",
    "LoadedMember",
    "LoadedPerson",
    "Match",
    "Outcome",
    "OwnRecord",
    "Registration",
    "SearchTooWide",
    "VersionMismatch",
    "bears_document",
    "born_of",
    "engine_of",
    "find_by_local_number",
    "find_by_source_record",
    "find_candidates",
    "find_citizen",
    "find_own_record",
    "find_person",
    "get_person",
    "is_deceased",
    "list_person_ids",
    "load_person",
    "match",
    "preferred_demographics",
    "preferred_of",
    "register_source_record",
    "regrouped_since",
    "resolve_replaced",
    "stands_for_itself",
]

"""Searching Patients (IHE PDQm ITI-78): by an id or number of one's own, that record; by anything else, persons.

A person is shown as far as recognising needs, with the identifiers the caller may be told. What is sealed is found by
blind tokens and then held against the criteria; each person shown is audited, and each search by facts is counted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from matching.normalise import normalise
from matching.records import Demographics, Document
from registry.access import Caller
from registry.app import parts
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import DomainError, InvalidInput
from registry.fhir import systems
from registry.fhir.patient_answers import READ_RECORD, account, refused
from registry.fhir.patient_identifiers import is_known_domain, own_members, tellable_identifiers
from registry.fhir.patient_operations import MATCHED, document_alone
from registry.fhir.patient_parameters import Facts, facts_of, placed, split_mother
from registry.fhir.patient_reading import to_document
from registry.fhir.patient_writing import own_record, recognisable
from registry.fhir.searching import Criterion, Search, searchset
from registry.fhir.values import Token, read_token, read_uuid
from registry.fhir.wire import Json
from registry.identity.budgets import SearchBudgetSpent, Searcher, spend_search
from registry.identity.canaries import watch
from registry.identity.mothers import find_children
from registry.identity.records import find_own_id
from registry.identity.service import (
    LoadedPerson,
    OwnRecord,
    born_of,
    find_candidates,
    find_own_record,
    find_person,
    load_person,
    preferred_of,
)
from registry.locator.hiding import hidden_links_of

Hit = OwnRecord | LoadedPerson


class UnknownDomain(DomainError):
    """ITI-78 §2:3.78.4.1.3 case 3: an identifier's system is not one of the registry's."""

    code = "unknown-domain"
    status = 404
    fhir_code = "not-found"


@dataclass(frozen=True, slots=True)
class Named:
    """The identifiers of a search: ids, tokens of one's own or a person, documents, and the domains to show."""

    ids: tuple[frozenset[str], ...]
    tokens: tuple[frozenset[Token], ...]
    documents: tuple[frozenset[Document], ...]
    domains: frozenset[str]
    former: Mapping[str, str]
    """The persons of today that former ids among these lead to; they count as named too."""

    @property
    def directly(self) -> bool:
        """Whether somebody is named, rather than described."""
        return bool(self.ids or self.tokens)


def search_patients(caller: Caller, search: Search) -> Json:
    """The searchset of one page; raises SearchTooWide, SearchBudgetSpent, UnknownDomain, InvalidInput."""
    named = _named(search.of("_id"), search.of("identifier"))
    of_mother, facts = split_mother(search, facts_of(search))
    if named.documents and not named.directly:
        _refuse_guesses(search)
    if of_mother or search.of("mothersIdentifier"):
        found = _children(caller, search.of("mothersIdentifier"), of_mother)
    else:
        found = _named_hits(caller, named) if named.directly else _described(caller, named, facts)
    told = _told(caller, found)
    wanted = [
        hit for hit in found if _bears(told[_key(hit)], named.tokens) and _meets(caller, hit, search, named, facts)
    ]
    shown = [(hit, _resource(caller, hit, named, told[_key(hit)])) for hit in wanted]
    visible = [(hit, resource) for hit, resource in shown if resource["identifier"]]
    page = search.page_of(visible)
    for hit, _ in page:
        _account(caller, hit)
    if not page:
        account(caller, MATCHED, None, count=0)
    alone = not found and bool(named.documents) and not facts
    more = len(visible) > search.offset + search.count
    resources = [resource for _, resource in page]
    outcomes = [document_alone()] if alone else []
    return searchset(search, caller.client_id, resources, total=len(visible), more=more, besides=outcomes)


def _refuse_guesses(search: Search) -> None:
    """A document number is tried with one set of facts: each list of values would be many searches counted as one."""
    lists = [one for one in search.criteria if len(one.values) > 1]
    if any(one.name != "identifier" or not all(value.endswith("|") for value in one.values) for one in lists):
        raise InvalidInput("With a document number each parameter has one value.", code="one-value-each")


def _named(ids: Iterable[Criterion], identifiers: Iterable[Criterion]) -> Named:
    called = [frozenset(one.values) for one in ids]
    tokens, documents, domains = [], [], set()
    former = _former(text for texts in called for text in texts)
    for criterion in identifiers:
        read = [read_token(value) for value in criterion.values]
        for one in read:
            if one.system and not is_known_domain(one.system):
                raise UnknownDomain("identifier Assigning Authority not found")
        domains |= {one.system for one in read if one.system and one.code is None}
        valued = [one for one in read if one.code is not None]
        papers = [document for one in valued if (document := _document(one))]
        if papers:
            documents.append(frozenset(normalise(Demographics(documents=tuple(papers))).documents))
        elif valued:
            led = _former(one.code or "" for one in valued if one.system == systems.PERSON)
            tokens.append(frozenset(valued) | {Token(systems.PERSON, now) for now in led.values()})
            former |= led
    named = tuple(texts | {former[text] for text in texts & former.keys()} for texts in called)
    return Named(named, tuple(tokens), tuple(documents), frozenset(domains), former)


def _former(texts: Iterable[str]) -> dict[str, str]:
    """Ids of persons that were found to be another one, with the id that one goes by today."""
    keys = ((text, read_uuid(text)) for text in texts)
    found = ((text, key, find_person(session(), key)) for text, key in keys if key)
    return {text: str(current.id) for text, key, current in found if current is not None and current.id != key}


def _document(token: Token) -> Document | None:
    return to_document({"system": token.system, "value": token.code}) if token.system else None


def _named_hits(caller: Caller, named: Named) -> list[Hit]:
    """Whom the first of the ids or identifiers names; the others are held against them."""
    own_system = get_establishment(session(), caller.establishment_id).identifier_system
    if named.ids:
        found = (_by_id(caller, text) for text in sorted(named.ids[0]))
    else:
        found = (_by_token(caller, own_system, token) for token in sorted(named.tokens[0], key=str))
    kept: dict[UUID, Hit] = {_key(hit): hit for hit in found if hit is not None}
    return [kept[key] for key in sorted(kept)]


def _by_id(caller: Caller, text: str) -> Hit | None:
    return _own(caller, text) or _person(text)


def _by_token(caller: Caller, own_system: str, token: Token) -> Hit | None:
    if token.system == systems.PERSON:
        return _person(token.code or "")
    if token.system == systems.SOURCE_RECORD:
        return _own(caller, token.code or "")
    if token.system not in {None, own_system}:
        return None
    record_id = find_own_id(session(), parts().sealer, caller.establishment_id, token.code or "")
    return _own(caller, str(record_id)) if record_id else None


def _own(caller: Caller, text: str) -> OwnRecord | None:
    key = read_uuid(text)
    return find_own_record(session(), parts().sealer, caller.establishment_id, key) if key else None


def _person(text: str) -> LoadedPerson | None:
    key = read_uuid(text)
    current = find_person(session(), key) if key else None
    return load_person(session(), parts().sealer, current.id) if current else None


def _children(caller: Caller, mothers: Iterable[Criterion], described: Facts) -> list[Hit]:
    """One's own records that give the number of a mother who is so numbered and described."""
    own_system = get_establishment(session(), caller.establishment_id).identifier_system
    wanted = [{_own_number(value, own_system) for value in one.values} for one in mothers]
    if described:
        persons = _described(caller, _named((), ()), described)
        met = [one for one in persons if any(described.met_by(*view) for view in _views(caller, one, described))]
        own = (member for one in met if isinstance(one, LoadedPerson) for member in own_members(caller, one))
        wanted.append({one.content.local_number for one in own})
    numbers = set.intersection(*wanted)
    return [*find_children(session(), parts().sealer, caller.establishment_id, numbers)]


def _own_number(value: str, own_system: str) -> str:
    """The number of a token of one's own; raises UnknownDomain, InvalidInput."""
    token = read_token(value)
    if token.system and not is_known_domain(token.system):
        raise UnknownDomain("mothersIdentifier Assigning Authority not found")
    if token.system not in {None, own_system} or not token.code:
        hint = "A mother's document is found by POST Patient/$match; her children by her own number."
        raise InvalidInput("mothersIdentifier is a number of your own establishment.", hint=hint)
    return token.code


def _described(caller: Caller, named: Named, facts: Facts) -> list[Hit]:
    refusal = refused(caller, MATCHED, SearchBudgetSpent.code, None)
    searcher = Searcher("client", caller.client_id)
    spend_search(session(), parts().settings, searcher, refusal)
    documents = named.documents[0] if named.documents else frozenset()
    watch(session(), parts().settings, searcher, frozenset().union(*named.documents), refusal)
    readings = facts.readings(sorted(documents, key=str))
    return list(find_candidates(session(), parts().sealer, readings, whole_day=facts.of_whole_day))


def _meets(caller: Caller, hit: Hit, search: Search, named: Named, facts: Facts) -> bool:
    identified = all(_carries(hit, documents) for documents in named.documents)
    if not identified or not all(_is_called(hit, ids) for ids in named.ids):
        return False
    wanted = {read_token(value).code for value in search.values("active")}
    if wanted and str(_active(hit)).lower() not in wanted:
        return False
    return not facts or any(facts.met_by(*view) for view in _views(caller, hit, facts))


def _views(caller: Caller, hit: Hit, facts: Facts) -> Iterator[tuple[Demographics, str | None]]:
    """What a search may see, with the birth date as it is said: one's own records, of a person what is shown of it."""
    own = [hit.member] if isinstance(hit, OwnRecord) else own_members(caller, hit)
    yield from ((placed(one.content), one.content.born) for one in own)
    if isinstance(hit, LoadedPerson) and not facts.of_contact:
        preferred = preferred_of(hit)
        yield preferred, born_of(hit, preferred)


def _carries(hit: Hit, documents: Collection[Document]) -> bool:
    members = [hit.member] if isinstance(hit, OwnRecord) else hit.members
    return any(document in one.normalised.documents for one in members for document in documents)


def _is_called(hit: Hit, ids: Collection[str]) -> bool:
    return str(_key(hit)) in {text.lower() for text in ids}


def _told(caller: Caller, found: Iterable[Hit]) -> dict[UUID, list[Json]]:
    """The identifiers of each hit that the caller may be told."""
    hits = list(found)
    hidden = hidden_links_of(session(), [hit.person_id for hit in hits if isinstance(hit, LoadedPerson)])
    return {
        _key(hit): tellable_identifiers(caller, hit, hidden.get(hit.person_id, frozenset()))
        if isinstance(hit, LoadedPerson)
        else own_record(hit.member, "")["identifier"]
        for hit in hits
    }


def _bears(told: Collection[Json], wanted: Iterable[Collection[Token]]) -> bool:
    return all(
        any(token.matches(one.get("system"), one["value"]) for one in told for token in tokens) for tokens in wanted
    )


def _active(hit: Hit) -> bool:
    return hit.member.active if isinstance(hit, OwnRecord) else True


def _resource(caller: Caller, hit: Hit, named: Named, told: Iterable[Json]) -> Json:
    """What is shown of a hit, with the identifiers of the domains asked for only."""
    if isinstance(hit, OwnRecord):
        shown = own_record(hit.member, str(hit.person_id))
    else:
        own = {document for one in own_members(caller, hit) for document in one.normalised.documents}
        shown = recognisable(hit, own.union(*named.documents))
        more = [one for one in told if one["system"] != systems.PERSON]
        shown["identifier"] += [{"use": "secondary", **one} for one in more]
        gone = sorted(text for text, now in named.former.items() if now == shown["id"])
        shown |= {"link": [_replaces(text) for text in gone]} if gone else {}
    if named.domains:
        shown["identifier"] = [one for one in shown["identifier"] if one.get("system") in named.domains]
    return shown


def _replaces(former: str) -> Json:
    return {"other": {"reference": f"Patient/{former}"}, "type": "replaces"}


def _account(caller: Caller, hit: Hit) -> None:
    if isinstance(hit, OwnRecord):
        account(caller, READ_RECORD, hit.person_id, source_record_id=hit.member.record_id)
    else:
        account(caller, MATCHED, hit.person_id)


def _key(hit: Hit) -> UUID:
    return hit.member.record_id if isinstance(hit, OwnRecord) else hit.person_id

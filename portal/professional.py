"""The professional's pages: find the person, ask for permission, read what other establishments hold."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.access_requests import Asking, list_requests_of, request_access
from consent_broker.consents.service import ConsentState, get_consent
from consent_broker.consents.vocabulary import ALL_CATEGORIES
from consent_broker.oauth.grants import Reader, decide_reading
from consent_broker.oauth.holder_tokens import Access
from portal import layout, people, present, texts
from portal.arriving import records_page
from portal.desk import request_status, show_code
from portal.forms import Search, read_request, read_search
from portal.practice import event_of, me, my_workplaces, note
from portal.professional_views import AccessRequestStatus, Candidate
from registry.app import parts
from registry.calendar import LIMA
from registry.database import now, session
from registry.identity.budgets import SearchBudgetSpent, Searcher, spend_search
from registry.identity.canaries import watch

professional = Blueprint("portal-professional", __name__, url_prefix="/profesional")
SEARCHED = "portal:person:searched"


class Hold(NamedTuple):
    """A permission in force that this professional may read under, and from where."""

    state: ConsentState
    establishment_id: UUID
    purpose: str
    categories: frozenset[str]


@professional.get("")
def search_page() -> Response:
    """The search box."""
    return layout.page("professional_search.html", problems={}, typed={}, candidates=None)


@professional.post("")
def search() -> Answer:
    """Look a person up; one exact answer opens at once. By POST, so that no number is ever in an address."""
    asked = read_search(request.form, now().astimezone(LIMA).date())
    if asked.demographics is None:
        return _results(asked, None, 422)
    refusal = event_of(SEARCHED, outcome="refused", reason=SearchBudgetSpent.code)
    searcher = Searcher("professional", me())
    spend_search(session(), parts().settings, searcher, refusal)
    watch(session(), parts().settings, searcher, asked.demographics.documents, refusal)
    found = people.search(session(), parts(), asked.demographics)
    by = "document" if asked.demographics.documents else "name"
    note(SEARCHED, detail={"by": by, "count": len(found)})
    for candidate in found:
        note("portal:person:matched", person_id=candidate.id, detail={"by": by})
    if len(found) == 1 and asked.demographics.documents:
        return redirect(f"/profesional/persona/{found[0].id}", 303)
    return _results(asked, found)


@professional.get("/persona/<uuid:person_id>")
def person(person_id: UUID) -> Response:
    """The person: the records where a permission is in force, else the way to ask for one."""
    banner = people.banner(session(), parts(), person_id)
    hold = _hold(banner.id)
    if hold is None:
        note("portal:person:viewed", person_id=banner.id)
        return _ask_page(banner.id)
    shown = present.permissions(session(), parts().sealer, [hold.state])[0]
    access = Access(
        establishment_id=hold.establishment_id, professional_id=me(), person_id=banner.id, purpose=hold.purpose
    )
    categories = present.in_order(hold.categories)
    return records_page("professional_person.html", access, categories, banner=banner, permission=shown)


@professional.post("/persona/<uuid:person_id>")
def ask(person_id: UUID) -> Answer:
    """Ask the person for permission; nothing is readable until they grant it."""
    asked = read_request(request.form, now())
    if asked.problem or asked.establishment_id is None:
        return _ask_page(person_id, asked.problem or "Elija desde qué establecimiento.", 422)
    made = request_access(
        session(),
        Asking(
            establishment_id=asked.establishment_id,
            professional_id=me(),
            person_id=person_id,
            purpose=asked.purpose,
            categories=asked.categories,
            labels=asked.labels,
            ends_at=asked.ends_at,
        ),
    )
    show_code(made.request)
    return redirect(f"/profesional/pedidos/{made.request.id}", 303)


def _results(asked: Search, found: Sequence[Candidate] | None, status: int = 200) -> Response:
    return layout.page("professional_search.html", status, problems=asked.problems, typed=asked.typed, candidates=found)


def _ask_page(person_id: UUID, problem: str | None = None, status: int = 200) -> Response:
    banner = people.banner(session(), parts(), person_id)
    last = _last_request(banner.id)
    return layout.page(
        "professional_person.html",
        status,
        banner=banner,
        permission=None,
        problem=problem,
        last_request=last,
        waiting=last is not None and last.state == "pending",
        establishments={str(place.id): place.name for place in my_workplaces()},
        categories=texts.CATEGORIES,
        labels=texts.LABELS,
        purposes=texts.ASKABLE_PURPOSES,
    )


def _hold(person_id: UUID) -> Hold | None:
    """What the person's directives let this professional read now, from where they work, treatment first."""
    for place in my_workplaces():
        for purpose in texts.ASKABLE_PURPOSES:
            reader = Reader(establishment_id=place.id, professional_id=me(), purpose=purpose, client_id=None)
            decision = decide_reading(session(), reader, person_id, ALL_CATEGORIES)
            if decision.permit:
                states = [get_consent(session(), one) for one in decision.consent_ids]
                return Hold(states[0], place.id, purpose, frozenset(_categories(states)))
    return None


def _categories(states: Sequence[ConsentState]) -> Iterator[str]:
    """What the permissions speak of: what of it is restricted, the reader is told so."""
    return (code for state in states for code in present.in_order(state.terms.categories))


def _last_request(person_id: UUID) -> AccessRequestStatus | None:
    """The newest request of this professional; one granted whose permission is no longer in force has ended."""
    found = next(iter(list_requests_of(session(), me(), person_id)), None)
    if found is None:
        return None
    status = request_status(found)
    return replace(status, state="ended") if status.state == "granted" else status

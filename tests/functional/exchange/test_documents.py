"""Documents of other establishments: found and fetched under the consents, checked against the index, never kept."""

import itertools
import json
from base64 import b64encode
from hashlib import sha1, sha256
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request, Response

from consent_broker.consents.directives import Kind
from consent_broker.consents.service import Terms, record_objection, revoke_consent
from consent_broker.emergency.cases import get_case
from consent_broker.emergency.service import Declared, declare_emergency
from consent_broker.oauth.clients import EMERGENCY
from consent_broker.oauth.models import AccessToken
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.models import Establishment
from registry.identity.models import Membership
from registry.locator.submitting import NewDocument, Submission, submit
from tests.functional.exchange.conftest import free_port, served
from tests.functional.exchange.holder import FhirServer, allergy, bundle
from tests.functional.exchange.test_gateway import grant, revoke_newest
from tests.functional.oauth.world import World, claims_of

PDF = b"%PDF-1.7 receta"
NUMBERS = itertools.count()
PRESCRIPTION, NOTE = "57833-6", "34109-9"
NAMING_IN_XML = b"""<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><resource><Provenance>
<target><reference value="AllergyIntolerance/h1"/></target></Provenance></resource></entry></Bundle>"""
PSY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}


def deliver(_request: Request) -> Response:
    return Response(PDF, mimetype="application/octet-stream")


def index(
    world: World,
    code: str = PRESCRIPTION,
    label: Any = None,
    content: bytes = PDF,
    replaces: tuple[UUID, ...] = (),
    about: str | None = None,
    **attachment: Any,
) -> str:
    """Put a document of the holder's into the index; its id."""
    number = next(NUMBERS)
    digest = b64encode(sha256(content).digest()).decode()
    described = {
        "resource": {
            "resourceType": "DocumentReference",
            "status": "current",
            "type": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "securityLabel": [{"coding": [label]}] if label else [],
            "content": [
                {
                    "attachment": {
                        "contentType": "application/pdf",
                        "url": f"{world.holding.endpoint}/Binary/doc-{number}",
                        "hash": b64encode(sha1(content, usedforsecurity=False).digest()).decode(),
                    }
                    | attachment
                }
            ],
            "context": {"period": {"start": "2026-03-01", "end": "2026-03-02"}}
            | ({"related": [{"reference": about, "display": "Alergia a la penicilina"}]} if about else {}),
        },
        "provenance": None,
        "signature": {
            "state": "unverified", "reason": "no-signature", "signer": None, "certificate": None,
            "judged": "2026-03-02T00:00:00+00:00",
        },
        "sha256": digest,
    }  # fmt: skip
    handed_in = Submission(
        world.holding.establishment_id,
        world.record_at_holder,
        world.holding.client_id,
        f"urn:set|{number}",
        {"resourceType": "List"},
        (NewDocument(f"urn:doc|{number}", described, replaces),),
        str(number).encode(),
    )
    made = world.transact(lambda session: submit(session, world.renhice.sealer, handed_in))
    return str(made.document_ids[0])


def find(world: World, token: str, **query: Any) -> TestResponse:
    parameters = {"patient": str(world.person_id)} | query
    return world.asking.get("/exchange/fhir/DocumentReference", token, query_string=parameters)


def listed(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    resources = [entry["resource"] for entry in answer.json.get("entry", [])]
    return {one["id"]: one for one in resources if one["resourceType"] == "DocumentReference"}


def retrieve(world: World, token: str, document: str) -> TestResponse:
    return world.asking.get(f"/exchange/fhir/Binary/{document}", token)


def test_a_document_is_found_and_fetched_from_its_holder(world: World, holder: FhirServer) -> None:
    holder.answer = deliver
    document, token = index(world), grant(world)
    found = listed(find(world, token, type=PRESCRIPTION))[document]
    url = found["content"][0]["attachment"]["url"]
    assert (url, found["subject"]) == (
        f"{world.broker.issuer}/exchange/fhir/Binary/{document}", {"reference": f"Patient/{world.person_id}"},
    )  # fmt: skip
    answer = retrieve(world, token, document)
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "application/pdf", PDF)
    assert answer.headers["Content-Disposition"] == "attachment"
    [asked] = holder.requests
    claims = claims_of(asked.headers["Authorization"].removeprefix("DPoP "))
    assert claims["scope"] == "patient/Binary.r"
    assert claims["patient"] == str(world.record_at_holder)
    query = select(AuditEvent).where(AuditEvent.action == "exchange:document:read").order_by(AuditEvent.id.desc())
    event = world.transact(lambda session: session.scalars(query).first())
    assert (event.outcome, event.detail["document"], event.token_id) == ("success", document, claims["jti"])


def test_after_a_move_the_former_address_is_asked_for_nothing(world: World, holder: FhirServer) -> None:
    document, token, moved = index(world), grant(world), FhirServer()
    moved.go_careless()
    moved.answer = deliver
    port = free_port()
    mine = update(Establishment).where(Establishment.id == world.holding.establishment_id)
    world.transact(lambda session: session.execute(mine.values(fhir_endpoint=f"http://127.0.0.1:{port}/fhir")))
    try:
        with served(moved, port):
            assert retrieve(world, token, document).data == PDF
    finally:
        world.transact(lambda session: session.execute(mine.values(fhir_endpoint=world.holding.endpoint)))
    assert (len(moved.requests), holder.requests) == (1, [])


@pytest.mark.parametrize(
    ("code", "label"), [(NOTE, None), (PRESCRIPTION, PSY)], ids=["may-say-more-than-permitted", "sensitive"]
)
def test_a_document_flows_whole_or_not_at_all(world: World, holder: FhirServer, code: str, label: Any) -> None:
    holder.answer = deliver
    document, token = index(world, code, label), grant(world)
    answer = find(world, token)
    assert document not in listed(answer)
    assert retrieve(world, token, document).status_code == 404
    assert holder.requests == []


def test_the_scopes_of_the_token_bound_what_is_found(world: World) -> None:
    document = index(world)
    token = grant(world, "patient/AllergyIntolerance.rs")
    assert document not in listed(find(world, token))
    assert retrieve(world, token, document).status_code == 404


@pytest.mark.parametrize(
    ("more", "sent"),
    [({}, b"otra cosa"), ({"size": 3}, PDF), ({"hash": b64encode(b"0" * 20).decode()}, PDF)],
    ids=["sha256", "size", "sha1"],
)
def test_what_is_not_the_document_the_index_describes_is_not_released(
    world: World, holder: FhirServer, more: dict[str, Any], sent: bytes
) -> None:
    holder.answer = lambda _request: Response(sent)
    answer = retrieve(world, grant(world), index(world, **more))
    assert (answer.status_code, answer.json["issue"][0]["details"]["coding"][0]["code"]) == (502, "structure")
    assert sent not in answer.data
    query = select(AuditEvent).where(AuditEvent.action == "exchange:document:read").order_by(AuditEvent.id.desc())
    event = world.transact(lambda session: session.scalars(query).first())
    assert (event.outcome, event.reason) == ("failure", "structure")


@pytest.mark.parametrize(
    ("status", "code"), [(500, "transient"), (403, "security"), (302, "transient")], ids=["down", "refused", "redirect"]
)
def test_a_holder_that_does_not_deliver(world: World, holder: FhirServer, status: int, code: str) -> None:
    holder.answer = lambda _request: Response(status=status)
    answer = retrieve(world, grant(world), index(world))
    assert (answer.status_code, answer.json["issue"][0]["details"]["coding"][0]["code"]) == (502, code)


def test_a_hidden_link_hides_the_documents(world: World, holder: FhirServer) -> None:
    holder.answer = deliver
    document, token = index(world), grant(world)
    hiding = Terms(
        person_id=world.person_id, establishment_id=None, categories=None, purposes=None, ends_at=None,
        kind=Kind.OBJECTION, sources=frozenset({world.holding.establishment_id}), hides=True,
    )  # fmt: skip
    world.transact(lambda session: record_objection(session, hiding, world.evidence()))
    answer = find(world, token)
    assert answer.status_code in {200, 403}
    assert document not in answer.text
    assert retrieve(world, token, document).status_code in {403, 404}
    assert holder.requests == []
    revoke_newest(world)


def hide(world: World, name: str) -> UUID:
    hiding = Terms(
        person_id=world.person_id, establishment_id=None, categories=None, purposes=None, ends_at=None,
        kind=Kind.OBJECTION, sources=frozenset({world.holding.establishment_id}), items=frozenset({name}), hides=True,
    )  # fmt: skip
    return world.transact(lambda session: record_objection(session, hiding, world.evidence())).id


def emergency(world: World) -> str:
    """A grant token of a declared emergency."""
    whom = {"person": str(world.person_id), "professional": {"college": "CMP", "number": "012345"}}
    asked = world.asking.call("POST", "/api/v1/emergency-accesses", world.asking.client_token("emergency"), json=whom)
    said = Declared(
        reason="unconscious", text="Llega inconsciente tras un accidente.", wording="-", acr=3, auth_time=now()
    )

    def declare(session: Any) -> None:
        case = get_case(session, UUID(asked.json["id"]))
        declare_emergency(session, world.renhice.sealer, world.renhice.settings, case, said)

    world.transact(declare)
    form = {"grant_type": EMERGENCY, "emergency_access": asked.json["id"]}
    return str(world.asking.post("/oauth/token", form).json["access_token"])


def test_a_hidden_document_is_found_by_nobody_not_even_in_an_emergency(world: World, holder: FhirServer) -> None:
    holder.answer = deliver
    document, beside, token, urgent = index(world), index(world), grant(world), emergency(world)
    assert {document, beside} <= listed(find(world, urgent)).keys()
    assert retrieve(world, urgent, document).status_code == 200
    shown = holder.requests[-1].headers["Authorization"].removeprefix("DPoP ")
    hiding = hide(world, listed_at_home(world)[document])
    assert world.holding.introspect(shown)["active"] is False, "what is withheld changed: the token falls"
    del holder.requests[:]
    for reading in (token, urgent):
        answer = find(world, reading)
        assert document not in listed(answer)
        assert beside in listed(answer)
        assert answer.text.count("suppressed") == 0, "what is hidden gives no hint"
        assert retrieve(world, reading, document).status_code == 404
    assert holder.requests == []
    corrected = index(world, replaces=(UUID(document),))
    assert not {document, corrected} & listed(find(world, token)).keys(), "what is hidden stays so when it is corrected"
    assert retrieve(world, token, corrected).status_code == 404
    assert {document, corrected} <= listed_at_home(world).keys()
    world.transact(lambda session: revoke_consent(session, hiding, world.evidence()))
    assert {document, corrected} <= listed(find(world, token)).keys()


def test_a_document_hidden_while_its_holder_sends_it_is_not_released(world: World, holder: FhirServer) -> None:
    document, token, hiding = index(world), grant(world), list[UUID]()
    name = listed_at_home(world)[document]

    def late(request: Request) -> Response:
        hiding.append(hide(world, name))
        return deliver(request)

    holder.answer = late
    holder.go_careless()
    answer = retrieve(world, token, document)
    world.transact(lambda session: revoke_consent(session, hiding[0], world.evidence()))
    assert (answer.status_code, PDF in answer.data) == (404, False)


def test_hiding_what_corrects_a_document_hides_what_it_corrected(world: World) -> None:
    document, token = index(world), grant(world)
    corrected = index(world, replaces=(UUID(document),))
    hiding = hide(world, listed_at_home(world)[corrected])
    assert not {document, corrected} & listed(find(world, token)).keys()
    world.transact(lambda session: revoke_consent(session, hiding, world.evidence()))


def test_what_says_it_is_about_a_hidden_item_is_hidden_with_it(world: World, holder: FhirServer) -> None:
    holder.answer = deliver
    document, beside, token = (
        index(world, about=f"{world.holding.endpoint}/AllergyIntolerance/h1/_history/2"),
        index(world, about="AllergyIntolerance/h10"),
        grant(world),
    )
    hiding = hide(world, "AllergyIntolerance/h1")
    found = listed(find(world, token))
    assert (document in found, beside in found) == (False, True)
    assert retrieve(world, token, document).status_code == 404
    world.transact(lambda session: revoke_consent(session, hiding, world.evidence()))
    assert document in listed(find(world, token))


@pytest.mark.parametrize(
    ("inside", "status"),
    [
        ({"resourceType": "Binary", "contentType": "text/plain"}, 200),
        ({"resourceType": "MedicationStatement", "meta": {"security": [PSY]}}, 404),
        ({"resourceType": "MedicationStatement", "reasonReference": [{"reference": "AllergyIntolerance/h1"}]}, 404),
        (NAMING_IN_XML, 404),
        (b"{", 502),
        (b"[]", 502),
        (b'{"resourceType": "Bundle", "meta": {"security": [{"code": "R"}]}, "meta": {}}', 502),
    ],
    ids=["ordinary", "sensitive", "names-what-is-hidden", "in-xml", "unreadable", "no-resource", "said-twice"],
)
def test_a_document_in_fhir_is_as_sensitive_as_what_is_in_it(
    world: World, holder: FhirServer, inside: Any, status: int
) -> None:
    content = inside if isinstance(inside, bytes) else json.dumps(bundle(inside)).encode()
    kind = "application/fhir+xml" if content.startswith(b"<") else "application/fhir+json"
    holder.answer = lambda _request: Response(content, mimetype="application/octet-stream")
    document, token = index(world, content=content, contentType=kind), grant(world)
    hiding = hide(world, "AllergyIntolerance/h1")
    assert retrieve(world, token, document).status_code == status
    world.transact(lambda session: revoke_consent(session, hiding, world.evidence()))


def listed_at_home(world: World) -> dict[str, str]:
    """What the holder itself finds, with each document's name there."""
    token = world.holding.client_token("system/DocumentReference.rs")
    answer = world.holding.get("/fhir/DocumentReference", token, query_string={"patient": str(world.person_id)})
    urls = {key: one["content"][0]["attachment"]["url"] for key, one in listed(answer).items()}
    return {key: "/".join(url.split("/")[-2:]) for key, url in urls.items()}


def test_a_contested_or_foreign_record_gives_none(world: World) -> None:
    document, token = index(world), grant(world)
    assert document in listed(find(world, token))

    def move(session: Any, person: UUID) -> None:
        session.get_one(Membership, world.record_at_holder).person_id = person

    world.transact(lambda session: move(session, world.other_person_id))
    try:
        assert document not in listed(find(world, token))
        assert retrieve(world, token, document).status_code == 404
    finally:
        world.transact(lambda session: move(session, world.person_id))


def test_a_document_token_ends_with_the_consent(world: World, holder: FhirServer) -> None:
    holder.answer = deliver
    token = grant(world)
    assert retrieve(world, token, index(world)).status_code == 200
    shown = holder.requests[-1].headers["Authorization"].removeprefix("DPoP ")
    assert world.holding.introspect(shown)["active"] is True
    row = world.transact(lambda session: session.get_one(AccessToken, UUID(claims_of(shown)["jti"])))
    assert row.categories == ["medications"]
    objecting = Terms(
        person_id=world.person_id, establishment_id=None, categories=frozenset({"medications"}), purposes=None,
        ends_at=None, kind=Kind.OBJECTION, labels=None,
        sources=frozenset({world.holding.establishment_id}),
    )  # fmt: skip
    world.transact(lambda session: record_objection(session, objecting, world.evidence()))
    assert world.holding.introspect(shown)["active"] is False
    revoke_newest(world)


def test_what_is_asked_must_be_said_right(world: World) -> None:
    token = grant(world)
    assert find(world, token, patient="x").status_code == 400
    assert find(world, token, patient=str(world.other_person_id)).status_code == 403
    assert find(world, token, date="ayer").status_code == 400
    assert retrieve(world, token, "0199aaaa-0000-7000-8000-000000000000").status_code == 404


def test_the_guard_lets_a_document_token_read_nothing_else(world: World, holder: FhirServer) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.path)
        return Response(PDF) if "/Binary/" in request.path else Response(str(bundle(allergy())))

    holder.answer = answer
    retrieve(world, grant(world), index(world))
    assert [path.rpartition("/")[0] for path in seen] == ["/fhir/Binary"]

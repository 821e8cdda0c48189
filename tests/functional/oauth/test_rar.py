"""Rich authorization requests (RFC 9396): what is asked exactly is what is granted, said and done."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from consent_broker.consents.narrowing import Narrowing
from consent_broker.consents.service import Terms, grant_consent, list_consents, propose_consent
from consent_broker.oauth import authorizations
from consent_broker.oauth.grants import decide_reading
from consent_broker.oauth.holder_tokens import Access, find_holders, issue_ticket
from consent_broker.oauth.models import OAuthGrant
from registry.calendar import LIMA
from tests.functional.oauth.world import RECORDS, World, answer_of, claims_of, pkce

TYPE = "record-access"
HERE = "00000002"


def details(**changes: Any) -> str:
    """A good request of one object, or one changed for the worse; None removes a field."""
    asked = {"type": TYPE, "categories": ["allergies", "encounters"], "purpose": "TREAT", "establishments": [HERE],
             "period": {"end": in_days(3)}, "data_period": {"start": "2020-01-01"}} | changes  # fmt: skip
    return json.dumps([{name: value for name, value in asked.items() if value is not None}])


def in_days(count: int) -> str:
    return (datetime.now(LIMA) + timedelta(days=count)).date().isoformat()


def granted(world: World, text: str, narrowing: Narrowing | None = None, **changes: Any) -> dict[str, Any]:
    """The token response of an authorization that asked exactly that."""
    verifier, code_challenge = pkce()
    asked = {"scope": None, "authorization_details": text, "code_challenge": code_challenge} | changes
    challenge, proof = world.challenge(**asked), world.evidence()
    url = world.transact(
        lambda session: authorizations.accept(session, world.broker, challenge, proof, narrowing or Narrowing())
    )
    answer = world.asking.redeem(answer_of(url)["code"], verifier)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def test_what_was_asked_exactly_is_in_the_answer_the_token_and_the_consent(world: World) -> None:
    token = granted(world, details())
    [said] = token["authorization_details"]
    assert (said["type"], said["categories"], said["purpose"]) == (TYPE, ["allergies", "encounters"], "TREAT")
    assert (said["establishments"], said["data_period"]) == ([HERE], {"start": "2020-01-01"})
    assert datetime.fromisoformat(said["period"]["end"]).astimezone(LIMA).date().isoformat() == in_days(4)
    assert claims_of(token["access_token"])["authorization_details"] == [said]
    assert set(token["scope"].split()) == {RECORDS[0], RECORDS[2]}
    terms = world.transact(lambda session: list_consents(session, [world.person_id]))[0].terms
    assert terms.sources == {world.holding.establishment_id}
    assert (terms.data_from, terms.data_until) == (date(2020, 1, 1), None)


def test_without_limits_it_says_what_a_scope_says(world: World) -> None:
    token = granted(world, json.dumps([{"type": TYPE, "categories": ["allergies"]}]))
    [said] = token["authorization_details"]
    assert said.keys() == {"type", "categories", "purpose", "period"}
    assert token["scope"] == RECORDS[0]


def test_a_grant_by_scopes_has_no_details(world: World) -> None:
    token = world.grant(scope=RECORDS[0])
    assert "authorization_details" not in token
    assert "authorization_details" not in claims_of(token["access_token"])


def test_the_patient_may_permit_less_and_the_answer_says_so(world: World) -> None:
    token = granted(world, details(), Narrowing(categories=frozenset({"allergies"})))
    assert token["authorization_details"][0]["categories"] == ["allergies"]
    assert token["scope"] == RECORDS[0]


def test_under_a_launch_it_is_within_the_access_request_and_narrows_its_consent(world: World) -> None:
    request = world.request_access(until=in_days(5))
    token = granted(world, details(), launch=request["id"])
    assert token["authorization_details"][0]["establishments"] == [HERE]
    terms = world.transact(lambda session: list_consents(session, [world.person_id]))[0].terms
    assert (terms.professional_id, terms.sources) == (world.professional_id, {world.holding.establishment_id})
    assert terms.categories == {"allergies", "encounters"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"purpose": "COC"}, "invalid_authorization_details"),
        ({"period": {"end": in_days(30)}}, "invalid_authorization_details"),
        ({"categories": ["problems"]}, "invalid_scope"),
    ],
    ids=str,
)
def test_a_launch_is_not_exceeded(world: World, changes: dict[str, Any], error: str) -> None:
    launch = world.request_access(until=in_days(5))["id"]
    answer = world.push(scope=None, launch=launch, authorization_details=details(**changes))
    assert (answer.status_code, answer.json["error"]) == (400, error)


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "{}", "[]", "null", "7", "[" * 5000, "[[]]", "[{}]", '[{"type":"record-access"}]',
        details(type="payment_initiation"), details(type=["record-access"]), details(categories=[]),
        details(categories=["hiv"]), details(categories=["allergies", "allergies"]), details(categories="allergies"),
        details(purpose="HPAYMT"), details(purpose=None, reason="x"), details(establishments=[]),
        details(establishments=["99999999"]), details(establishments=["x"]), details(establishments=[HERE, HERE]),
        details(period={}), details(period={"end": "2020-01-01"}), details(period={"end": "soon"}),
        details(period={"end": in_days(3), "start": in_days(1)}), details(period="3 days"),
        details(data_period={"start": "2021-01-01", "end": "2020-01-01"}), details(data_period={"from": "2020-01-01"}),
        details(data_period={"start": "0000-00-00"}), details(period={"end": in_days(400)}),
        details(locations=["https://x.example"]), details(actions=["read"]),
        f"[{details()[1:-1]}, {details()[1:-1]}]", '[{"type":"record-access","categories":["allergies"],"type":"x"}]',
        details(establishments=[f"{number:08d}" for number in range(60)]),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_is_not_understood_is_refused(world: World, text: str) -> None:
    answer = world.push(scope=None, authorization_details=text)
    wanted = "invalid_authorization_details" if text else "invalid_scope"
    assert (answer.status_code, answer.json["error"]) == (400, wanted)
    assert "request_uri" not in answer.json
    assert "99999999" not in answer.text


def test_scope_beside_it_may_add_but_not_name_other_records(world: World) -> None:
    token = granted(world, details(), scope="offline_access")
    assert set(token["scope"].split()) == {RECORDS[0], RECORDS[2], "offline_access"}
    assert granted(world, details(), scope=f"{RECORDS[0]} {RECORDS[2]}")["authorization_details"]
    other = world.push(scope=RECORDS[1], authorization_details=details())
    assert (other.status_code, other.json["error"]) == (400, "invalid_scope")


def test_it_is_asked_for_when_pushed_and_nowhere_else(world: World) -> None:
    link = world.authorize(world.app_client, authorization_details=details())
    assert answer_of(link.location)["error"] == "invalid_authorization_details"
    code = world.code()
    answer = world.asking.redeem(*code, authorization_details=details())
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_authorization_details")
    assert world.asking.redeem(*code).status_code == 200


def test_refreshing_says_what_is_left(world: World) -> None:
    token = granted(world, details(), scope="offline_access")
    narrower = world.asking.refresh(token["refresh_token"], scope=RECORDS[2]).json
    assert narrower["authorization_details"][0]["categories"] == ["encounters"]
    assert narrower["authorization_details"][0]["establishments"] == [HERE]


def test_a_holder_learns_of_itself_only(world: World) -> None:
    token = granted(world, details(establishments=["00000001", HERE]))
    grant_id = newest_grant(world)
    held = holder_token(world, grant_id)
    [said] = claims_of(held)["authorization_details"]
    assert said["establishments"] == [HERE]
    assert world.holding.introspect(held)["authorization_details"] == [said]
    assert token["authorization_details"][0]["establishments"] == ["00000001", HERE]


def newest_grant(world: World) -> Any:
    return world.transact(lambda session: session.query(OAuthGrant).order_by(OAuthGrant.created_at.desc()).first().id)


def holder_token(world: World, grant_id: Any) -> str:
    def mint(session: Any) -> str:
        grant = session.get(OAuthGrant, grant_id)
        access = Access(
            establishment_id=grant.establishment_id, professional_id=None, person_id=grant.person_id,
            purpose=grant.purpose, client_id=grant.client_id, grant_id=grant.id, consent_id=grant.consent_id,
            details=grant.authorization_details,
        )  # fmt: skip
        decision = decide_reading(session, access.reader, grant.person_id, {"allergies", "encounters"})
        holder = find_holders(session, grant.person_id)[0]
        return issue_ticket(session, world.broker, access, decision, holder).token.value

    return world.transact(mint)


def test_it_does_not_pass_on_to_the_wider_consent_that_takes_its_place(world: World) -> None:
    token = granted(world, details(), scope="offline_access")
    held = holder_token(world, newest_grant(world))
    assert world.holding.introspect(held)["active"]

    def permit_all(session: Any) -> None:
        terms = Terms(
            person_id=world.person_id, establishment_id=world.asking.establishment_id,
            categories=frozenset({"allergies", "encounters", "problems"}), purposes=frozenset({"TREAT"}),
            ends_at=datetime.now(LIMA) + timedelta(days=30),
        )  # fmt: skip
        grant_consent(session, propose_consent(session, terms, {}), world.evidence())

    world.transact(permit_all)
    assert world.asking.refresh(token["refresh_token"]).json["error"] == "invalid_grant"
    assert world.holding.introspect(held) == {"active": False}

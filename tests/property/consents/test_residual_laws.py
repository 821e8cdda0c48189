"""What travels in a token withholds exactly what the decision withholds: enforced far away, it means the same."""

import json
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consent_broker.consents.decision import decide
from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind
from consent_broker.consents.residual import as_claim, residual
from consent_broker.consents.vocabulary import FHIR_TYPES, LABEL_SYSTEMS
from consent_broker.resource_server.naming import reference_of
from consent_broker.resource_server.residual import days_of, flows, labels_of, release
from tests.property.consents.strategies import NOW, items, patient, queries, sets

_DATED = {
    "allergies": "recordedDate",
    "problems": "recordedDate",
    "immunizations": "occurrenceDateTime",
    "medications": "effectivePeriod",
    "encounters": "period",
}


def as_resource(item: Item) -> dict[str, Any]:
    """The item as its holder would serve it."""
    kind = FHIR_TYPES[item.category]
    identifier = item.reference.partition("/")[2] if item.reference and item.reference.startswith(kind) else "other"
    security = [{"system": LABEL_SYSTEMS[label], "code": label} for label in sorted(item.labels)]
    resource: dict[str, Any] = {"resourceType": kind, "id": identifier, "meta": {"security": security}}
    name = _DATED[item.category]
    if item.first and item.last:
        period = {"start": item.first.isoformat(), "end": item.last.isoformat()}
        resource[name] = period if "eriod" in name else item.first.isoformat()
    if item.mentions:
        resource["partOf"] = [{"reference": f"https://h.example/fhir/{one}"} for one in item.mentions]
    return resource


def as_item(resource: dict[str, Any], item: Item) -> Item:
    """The item as read back from the resource."""
    first, last = days_of(resource)
    known = (first, last) != (date.min, date.max)
    return Item(
        category=item.category,
        labels=labels_of(resource),
        source=item.source,
        first=first if known else None,
        last=last if known else None,
        reference=f"{resource['resourceType']}/{resource['id']}",
        mentions=item.mentions,
    )


@patient
@given(queries, sets, st.lists(items(), min_size=1, max_size=5))
def test_the_token_withholds_what_the_decision_withholds(
    query: AccessQuery, held: list[Directive], things: list[Item]
) -> None:
    decision = decide(query, held, NOW)
    for item in things:
        assert item.source is not None
        categories = decision.categories_at(item.source)
        claim = json.loads(json.dumps(as_claim(residual(decision, item.source), categories)))
        resource = as_resource(item)
        served = item.category in categories and flows(resource, claim)
        assert served == decision.allows(as_item(resource, item))


@patient
@given(queries, sets, items())
def test_a_hidden_item_never_flows_and_no_other_is_touched(
    query: AccessQuery, held: list[Directive], item: Item
) -> None:
    item = replace(item, mentions=frozenset())
    resource, other = as_resource(item), as_resource(item) | {"id": "another"}
    assert item.source is not None
    hiding = Directive(
        consent_id=UUID(int=55), kind=Kind.OBJECTION, person_id=query.person_id, establishment_id=None,
        categories=None, purposes=None, starts_at=NOW, ends_at=None, hides=True,
        sources=frozenset({item.source}), items=frozenset({reference_of(resource)}),
    )  # fmt: skip
    before, after = decide(query, held, NOW), decide(query, [*held, hiding], NOW)
    assert after.findings == before.findings
    categories = after.categories_at(item.source)
    assert item.category not in categories or not flows(resource, as_claim(residual(after, item.source), categories))
    assert not after.allows(as_item(resource, item))
    assert after.allows(as_item(other, item)) == before.allows(as_item(other, item))
    assert [after.restricts(one) for one in after.categories] == [before.restricts(one) for one in after.categories]


@patient
@given(queries, sets, st.lists(items(), min_size=1, max_size=5), st.sampled_from(["class", "securityLabel", "data"]))
def test_a_rule_that_is_not_understood_withholds_more(
    query: AccessQuery, held: list[Directive], things: list[Item], name: str
) -> None:
    decision = decide(query, held, NOW)
    for item in things:
        assert item.source is not None
        claim = as_claim(residual(decision, item.source), decision.categories_at(item.source))
        for broken in ("x", 5, None, {"surprise": []}):
            spoilt = [rule | {name: broken} for rule in claim]
            assert flows(as_resource(item), claim) or not flows(as_resource(item), spoilt)


leaves = st.none() | st.booleans() | st.text(max_size=12) | st.integers()
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@patient
@given(
    st.dictionaries(st.sampled_from(["resourceType", "id", "meta", "period", "recordedDate"]), anything),
    st.lists(anything, max_size=3),
)
def test_no_resource_and_no_rule_breaks_the_guard(resource: dict[str, Any], rules: list[Any]) -> None:
    flows(resource, rules)
    release([{"resource": resource, "fullUrl": resource.get("id")}] * 2, rules)
    assert all(not flows(resource, [rule]) for rule in rules if not isinstance(rule, dict))


@patient
@given(st.text(max_size=30))
def test_any_text_is_a_date_or_every_date(text: str) -> None:
    first, last = days_of({"resourceType": "Encounter", "period": {"start": text, "end": text}})
    assert first <= last

"""What speaks of an item that its patient hid is withheld with it, and what speaks of another is not."""

import json
from base64 import b64encode
from typing import Any

import pytest

from consent_broker.resource_server.naming import own_names
from consent_broker.resource_server.residual import flows, release
from tests.unit.resource_server.serving import (
    HIDING,
    NAMES,
    NO_PSY,
    ORIGIN,
    PROBLEM,
    UUID_OF_8,
    encounter,
    served,
)


def attached(what: Any) -> list[dict[str, Any]]:
    data = b64encode((what if isinstance(what, str) else "\ufeff" + json.dumps(what)).encode()).decode()
    return [{"resourceType": "DocumentReference", "content": [{"attachment": {"data": f" {data}\n"}}]}]


@pytest.mark.parametrize(
    "speaking",
    [
        {"diagnosis": [{"condition": {"reference": "Condition/7", "display": "VIH"}}]},
        {"reasonReference": [{"reference": "https://h.example/fhir/Condition/7"}]},
        {"reasonReference": [{"reference": "Condition/7/_history/2"}]},
        {"contained": [{"resourceType": "Condition", "id": "7"}]},
        {"contained": [{"resourceType": "Provenance", "target": [{"reference": "Condition/7"}]}]},
        {"extension": [{"url": "urn:x", "valueUri": "https://h.example/fhir/Condition/7?_format=json"}]},
        {"text": {"div": "<div><a href='Condition/7'>-</a></div>"}},
        {"text": {"div": "<div><a href='Condition&#x2F;7'>-</a></div>"}},
        {"extension": [{"url": "urn:x", "valueUri": "https://h.example/fhir/Condition%2F7"}]},
        {"reasonReference": [{"reference": "Condition?status=active&_id=7"}]},
        {"text": {"div": "<div>Véase Condition/7.</div>"}},
        {"diagnosis": [{"condition": {"type": "Condition", "identifier": PROBLEM}}]},
        {"reasonReference": [{"reference": "Condition?identifier=urn%3Ahc|P-7"}]},
        {"text": {"div": "<a href='Condition?code=x&amp;identifier=urn:episodes|HC%207%261'>-</a>"}},
        {"reasonReference": [{"reference": "https://h.example/FHIR/Condition/7"}]},
        {"contained": attached({"resourceType": "Condition", "id": "7"})},
        {"extension": [{"url": "urn:x", "valueBase64Binary": b64encode(b"<Condition/7>").decode()}]},
        {"contained": attached("<Condition><id value='1'/><a href='Condition/7'/></Condition>")},
        {"extension": [{"url": "urn:x", "valueUri": "https://h.example/?to=%2F%3Fto%3DCondition%252F7"}]},
        {"text": {"div": f"<p>&#{'9' * 5000};&#{'0' * 5000}67;ondition/7</p>"}},
        {"contained": [{"resourceType": "Condition", "id": "c1", "identifier": [PROBLEM]}]},
        {"identifier": [PROBLEM]},
        {"meta": {"source": f"{ORIGIN}/_history/3#42"}},
        {"meta": {"source": f"{ORIGIN}/?x=1"}},
        {"reasonReference": [{"reference": ORIGIN}]},
        {"reasonReference": [{"reference": f"urn:uuid:{UUID_OF_8.upper()}"}]},
    ],
    ids=[
        "reference",
        "absolute",
        "version",
        "contained",
        "provenance",
        "extension",
        "narrative",
        "character-reference",
        "percent-encoded",
        "search",
        "end-of-sentence",
        "logical",
        "conditional",
        "conditional-encoded",
        "base-like-a-type",
        "attached",
        "in-an-extension",
        "attached-text",
        "encoded-twice",
        "numbers-without-end",
        "contained-copy",
        "copy",
        "copy-of-the-same",
        "copy-with-a-slash",
        "original",
        "urn",
    ],
)
def test_what_speaks_of_a_hidden_item_is_withheld_with_it(speaking: dict[str, Any]) -> None:
    assert not flows(encounter("a", **speaking), [HIDING])
    entries = [{"resource": encounter("a", **speaking)}, {"resource": encounter("b")}]
    left = served({"resourceType": "Bundle", "entry": entries}, [HIDING]).json["entry"]
    assert [one["resource"]["id"] for one in left] == ["b"]


def test_a_hidden_item_is_named_by_nothing_it_says() -> None:
    assert sorted(name.rpartition(":")[0] for name in NAMES) == [
        "", "", "urn:renhice:identifier", "urn:renhice:identifier", "urn:renhice:source",
    ]  # fmt: skip
    whose = {"subject": {"identifier": PROBLEM}, "meta": {"source": "https://lab.example/fhir#9"}}
    assert own_names({"resourceType": "Condition", "id": "7", "identifier": [PROBLEM]} | whose) == {"Condition/7"}


@pytest.mark.parametrize("reference", ["Condition/77", "Condition/7-a", "Condition/7.1", "MyCondition/7", "#7", "7"])
def test_what_speaks_of_another_item_is_not(reference: str) -> None:
    assert flows(encounter("7", reasonReference=[{"reference": reference}]), [HIDING])


def test_a_resource_of_any_depth_is_looked_through() -> None:
    deep: Any = {"reference": "Condition/7"}
    for _ in range(5_000):
        deep = [deep]
    assert not flows(encounter("a", note=deep), [HIDING])


def test_a_resource_is_looked_through_once_however_many_items_are_hidden() -> None:
    """Else who holds records decides how long everybody's gateway is busy with 30 hidden items of one person."""

    class Counted(dict[str, Any]):
        looks = 0

        def items(self) -> Any:
            Counted.looks += 1
            return super().items()

    class Read(list[Any]):
        looks = 0

        def __iter__(self) -> Any:
            Read.looks += 1
            return super().__iter__()

    data = [{"meaning": "dependents", "reference": {"reference": f"Condition/{number}"}} for number in range(100, 130)]
    rules = [{"type": "forbid", "data": Read(data[:15])}, {"type": "forbid", "data": Read(data[15:])}, NO_PSY]
    entries = [{"resource": encounter("a", note=[Counted()])}, {"resource": encounter("b", "PSY")}]
    assert release(entries, rules) == entries[:1]
    assert (Counted.looks, Read.looks) == (1, 2)


def test_a_dependent_that_is_no_item_may_be_any() -> None:
    data = [{"meaning": "dependents", "reference": {"reference": "urn:uuid:7"}}]
    assert not flows(encounter("a"), [{"type": "forbid", "data": data}])

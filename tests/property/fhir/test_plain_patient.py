"""Whatever the quick check takes, FHIR's whole model takes; and it takes what feeds commonly send."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B.patient import Patient
from hypothesis import given
from hypothesis import strategies as st

from matching.normalise import Normalised
from matching.records import Demographics
from registry.fhir.patient_writing import own_record
from registry.fhir.plain_patient import ELEMENTS, is_plain, read_plain
from registry.identity.service import Content, LoadedMember
from tests.property.fhir.test_round_trip import FACTS, SYSTEM

WORDS = (
    "use type system value coding code display text family _family given extension url valueString "
    "valueCodeableConcept line city lastUpdated profile id"
)
KEYS = st.sampled_from(WORDS.split(" "))
SAID = [
    "",
    " ",
    "x",
    "Ñ",
    "a  b",
    "http://a.pe/x",
    "urn:oid:1",
    "official",
    "phone",
    "2020-02-30",
    "1990-02-28",
    "1990-12-31",
    "1990-11-31",
    "\t",
]
LEAVES: st.SearchStrategy[Any] = st.sampled_from(SAID) | st.sampled_from([None, True, 0, [], {}])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
FIELDS = st.sampled_from(sorted({*ELEMENTS, "deceasedBoolean"} - {"resourceType"}))


def written(facts: Demographics) -> dict[str, Any]:
    """A patient as a feed sends it."""
    content = Content(SYSTEM, "1", facts)
    member = LoadedMember(UUID(int=1), UUID(int=2), 1, True, False, datetime.now(UTC), content, Normalised())
    return {name: value for name, value in own_record(member, "3").items() if name not in {"id", "meta", "link"}}


@given(FACTS, st.dictionaries(FIELDS, VALUES, max_size=2))
def test_what_is_plain_is_valid(facts: Demographics, changes: dict[str, Any]) -> None:
    body = written(facts) | changes
    if is_plain(body):
        Patient.model_validate(body)


@given(FACTS, st.sampled_from(["identifier", "name", "telecom", "address"]), st.dictionaries(KEYS, VALUES, max_size=2))
def test_so_are_its_parts(facts: Demographics, element: str, changes: dict[str, Any]) -> None:
    body = written(facts)
    body[element] = [{**one, **changes} for one in body.get(element) or [{}]]
    if is_plain(body):
        Patient.model_validate(body)


@given(FACTS, st.dictionaries(FIELDS, VALUES, max_size=2), st.sampled_from([None, 1]), st.booleans())
def test_a_text_is_read_as_json_is(
    facts: Demographics, changes: dict[str, Any], indent: int | None, twice: bool
) -> None:
    body = written(facts) | changes
    text = json.dumps(body, ensure_ascii=False, indent=indent)
    if twice:
        text = text.replace("{", '{"url": "http://a.pe/x", ', 3).replace(
            '"resourceType"', '"active": true, "active"', 1
        )
    found = read_plain(text.encode())
    assert found is None or (found == body and not twice and is_plain(body))


@pytest.mark.parametrize(
    "text",
    [
        '{"resourceType":"Patient","gender":"male","gender":"male"}',
        '{"resourceType":"Patient","name":[{"family":"A","family":": B"}]}',
        '{"resourceType":"Patient","name":[{"family":"\\u0041"}]}',
        '\ufeff{"resourceType":"Patient"}',
        '{"resourceType":"Patient"} {}',
        '{"resourceType":"Patient","name":[{"family":"\t"}]}',
        '{"resourceType":"Patient","active":"true"}',
        '{"resourceType":"Patient","active":null}',
        '{"resourceType":"Patient","name":[{}]}',
        "[]",
        "NaN",
        "",
    ],
    ids=[
        "twice",
        "twice-within",
        "escaped",
        "mark",
        "two",
        "control",
        "no-boolean",
        "null",
        "empty",
        "list",
        "nan",
        "nothing",
    ],
)
def test_what_is_not_plainly_written_goes_the_long_way(text: str) -> None:
    assert read_plain(text.encode()) is None
    assert read_plain(b'{"resourceType":"Patient","name":[{"family":"\xff"}]}') is None


def test_what_feeds_send_is_plain() -> None:
    facts = Demographics(
        paternal_surname="Huamán", given_names="Rosa Elvira", sex="F", phone="984112233", ubigeo="080101"
    )
    assert is_plain(written(facts))
    assert read_plain(json.dumps(written(facts), ensure_ascii=False).encode()) == written(facts)
    assert not is_plain(written(facts) | {"contained": []})

"""What is read from a Patient is written as one that reads the same, and is valid FHIR."""

from datetime import UTC, date, datetime
from uuid import UUID

from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.patient import Patient
from hypothesis import given
from hypothesis import strategies as st

from matching.normalise import normalise
from matching.records import Demographics, Document, DocumentType
from registry.errors import InvalidInput
from registry.fhir.capability import capability_statement
from registry.fhir.patient_reading import to_content, to_demographics
from registry.fhir.patient_writing import own_record, recognisable
from registry.fhir.systems import MOTHERS_MAIDEN_NAME
from registry.fhir.wire import is_text
from registry.fhir.xml_format import from_xml, to_xml
from registry.identity.contents import NOTHING_ASIDE, Aside
from registry.identity.service import Content, LoadedMember, LoadedPerson

SYSTEM = "https://example.pe/hc"
WORD = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30)
MAYBE = st.none() | WORD
DOCUMENTS = st.builds(
    Document,
    type=st.sampled_from([kind for kind in DocumentType if kind is not DocumentType.OTHER]),
    number=st.from_regex(r"[0-9A-Z]{5,15}", fullmatch=True),
    country=st.sampled_from(["PER", "VEN", "COL"]),
)
FACTS = st.builds(
    Demographics,
    documents=st.lists(DOCUMENTS, max_size=3).map(tuple),
    paternal_surname=WORD,
    maternal_surname=MAYBE,
    married_surname=MAYBE,
    given_names=st.lists(WORD, min_size=1, max_size=3).map(" ".join),
    sex=st.sampled_from(["M", "F", None]),
    birth_date=st.none() | st.dates(date(1900, 1, 1), date(2025, 1, 1)),
    ubigeo=st.none() | st.from_regex(r"[0-9]{6}", fullmatch=True),
    address=MAYBE,
    phone=st.none() | st.from_regex(r"9[0-9]{8}", fullmatch=True),
    mother_document=st.none() | DOCUMENTS,
    multiple_birth_order=st.none() | st.integers(1, 5),
)


ASIDE = st.builds(
    Aside, district=MAYBE, city=MAYBE, state=MAYBE, postal_code=MAYBE, mother_given_names=MAYBE,
    work_phone=st.none() | st.from_regex(r"084[0-9]{6}", fullmatch=True),
)  # fmt: skip


def member(facts: Demographics, mother: str | None = None, aside: Aside = NOTHING_ASIDE) -> LoadedMember:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    content = Content(SYSTEM, "7", facts, mother_number=mother, aside=aside)
    return LoadedMember(UUID(int=1), UUID(int=2), 1, True, False, moment, content, normalise(facts))


@given(FACTS.filter(lambda facts: facts.phone), MAYBE, ASIDE)
def test_own_record_reads_as_what_was_sent(facts: Demographics, mother: str | None, aside: Aside) -> None:
    kept = member(facts, mother, aside)
    written = own_record(kept, str(UUID(int=3)))
    Patient.model_validate(written)
    assert to_content(written, SYSTEM, "7") == kept.content


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(is_text)


@given(FACTS, TEXT.filter(str.strip))
def test_xml_says_what_json_says(facts: Demographics, text: str) -> None:
    written = own_record(member(facts), str(UUID(int=3)))
    written["name"][0]["text"] = text
    made = to_xml(written)
    read = from_xml(made if isinstance(made, bytes) else made.encode())
    moments = [one["meta"].pop("lastUpdated") for one in (read, written)]
    assert datetime.fromisoformat(moments[0]) == datetime.fromisoformat(moments[1])
    assert read == written


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
def test_any_bytes_are_a_resource_or_refused(body: bytes) -> None:
    for sent in (body, b'<Patient xmlns="http://hl7.org/fhir">' + body + b"</Patient>"):
        try:
            assert from_xml(sent)["resourceType"]
        except InvalidInput as refused:
            assert refused.status == 400  # noqa: PT017  # both outcomes are right


@given(FACTS, FACTS)
def test_recognisable_shows_no_more_than_it_may(facts: Demographics, asked: Demographics) -> None:
    person = LoadedPerson(UUID(int=3), 1, (member(facts),))
    shown = recognisable(person, asked.documents)
    Patient.model_validate(shown)
    assert {"telecom", "address", "multipleBirthInteger"}.isdisjoint(shown)
    assert {one["url"] for one in shown.get("extension", [])} <= {MOTHERS_MAIDEN_NAME}
    carried, known = set(normalise(facts).documents), set(normalise(asked).documents)
    assert set(to_demographics(shown).documents) <= carried & known


def test_capability_statement_is_valid() -> None:
    CapabilityStatement.model_validate(capability_statement("https://renhice.example"))

"""Whatever clerks do to whomever, a record stays sendable and says what was done to it."""

import random
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from sandbox.clerks import SLIPS, Record, careless, write_down
from sandbox.names import plain
from sandbox.patient import to_patient
from sandbox.population import Document, Person

NAMES = st.text("ABCÑHUSZY", min_size=1, max_size=12)
DOCUMENTS = st.none() | st.builds(
    Document, st.sampled_from(["dni", "carne-extranjeria"]), st.text("0123456789", min_size=8, max_size=9)
)
PEOPLE = st.builds(
    Person, id=st.just("P1"), household=st.just("H1"), document=DOCUMENTS, given_names=NAMES, paternal_surname=NAMES,
    maternal_surname=NAMES | st.just(""), married_surname=NAMES | st.just(""), sex=st.sampled_from("MF"),
    birth_date=st.dates(date(1901, 1, 1), date(2026, 6, 29)), birth_ubigeo=st.just("150101"), ubigeo=st.just("150101"),
    address=st.just("JR. UNO 1"), phone=st.just("900000000"), mother_document=DOCUMENTS, birth_order=st.none(),
)  # fmt: skip


@given(PEOPLE, st.integers())
def test_a_careless_record_can_be_sent_and_names_its_slips(person: Person, seed: int) -> None:
    correct = write_down(person, "00990001", "1")
    record = careless(random.Random(seed), correct)
    patient = to_patient(record)
    assert patient["name"][0]["family"]
    assert patient["name"][0]["given"]
    assert (record.slips == ()) == (record == correct)
    assert set(record.slips) <= set(SLIPS)


@given(PEOPLE, st.integers(), st.sampled_from(sorted(SLIPS)))
def test_every_slip_keeps_the_place_the_number_and_the_person(person: Person, seed: int, name: str) -> None:
    correct = write_down(person, "00990001", "1")
    slipped: Record = SLIPS[name][1](random.Random(seed), correct)
    same = ("renipress", "local_number", "person")
    assert [getattr(slipped, field) for field in same] == [getattr(correct, field) for field in same]


@given(st.text(max_size=40))
def test_plain_names_are_stable_and_keep_every_enie(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert plain(text).count("Ñ") >= text.upper().count("Ñ")

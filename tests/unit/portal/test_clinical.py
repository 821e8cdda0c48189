"""Resources as lines: the usual shapes read well, any other shape reads «No consta»."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portal.clinical import line, newest_first

ALLERGY = {
    "resourceType": "AllergyIntolerance",
    "code": {"text": "Penicilina"},
    "recordedDate": "2024-03-05",
    "clinicalStatus": {"coding": [{"code": "active"}]},
    "reaction": [{"manifestation": [{"text": "Urticaria"}]}],
}
ENCOUNTER = {
    "resourceType": "Encounter",
    "class": {"code": "EMER"},
    "status": "finished",
    "period": {"start": "2025-12-31T23:30:00-05:00"},
}


def test_an_allergy_reads_well() -> None:
    shown = line(ALLERGY)
    assert (shown.title, shown.status, shown.at, shown.detail) == (
        "Penicilina",
        "Activa",
        "5 de marzo de 2024",
        "Urticaria",
    )


def test_an_encounter_reads_well_and_in_lima() -> None:
    shown = line(ENCOUNTER)
    assert (shown.title, shown.status, shown.at) == ("Emergencia", "Terminada", "31 de diciembre de 2025")


def test_a_partial_date_stays_partial() -> None:
    assert line(ALLERGY | {"recordedDate": "2024"}).at == "2024"


def test_the_newest_comes_first_and_the_undated_last() -> None:
    old, new, undated = (({**ALLERGY, "recordedDate": day}) for day in ("2001-01-01", "2024-01-01", None))
    assert newest_first([undated, old, new]) == [new, old, undated]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["code", "text", "coding", "display", "start", "end", "manifestation", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
FIELDS = [
    "resourceType",
    "code",
    "status",
    "clinicalStatus",
    "period",
    "class",
    "type",
    "reaction",
    "dosage",
    "recordedDate",
    "onsetDateTime",
    "medicationCodeableConcept",
    "note",
]


@given(
    st.dictionaries(st.sampled_from(FIELDS), json_values), st.sampled_from(["AllergyIntolerance", "Encounter", "Other"])
)
def test_any_shape_makes_a_line(resource: dict[str, Any], kind: str) -> None:
    shown = line(resource | {"resourceType": kind})
    assert shown.title
    assert shown.status
    assert shown.at
    newest_first([resource])

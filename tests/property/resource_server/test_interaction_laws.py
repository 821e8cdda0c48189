"""Whatever the request line says, the guard reads it without failing and never loses a patient it names."""

from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent_broker.resource_server.answers import Refusal
from consent_broker.resource_server.interaction import Interaction, names_only, read_interaction

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW"])


@patient
@given(methods, st.text(), st.text(), st.text())
def test_any_text_is_an_interaction_or_a_refusal(method: str, path: str, query: str, form: str) -> None:
    assert isinstance(read_interaction(method, path, query, form), Interaction | Refusal)


@patient
@given(
    st.lists(st.tuples(st.sampled_from(["patient", "subject", "date", "patient.identifier"]), st.text()), max_size=6)
)
def test_every_patient_named_is_checked(parameters: list[tuple[str, str]]) -> None:
    answer = read_interaction("GET", "/Encounter", urlencode(parameters))
    assert isinstance(answer, Interaction)
    named = [value for name, value in parameters if name != "date"]
    assert sorted(answer.patients) == sorted(named)
    if any("mine" not in value for value in named):
        assert not names_only(answer.patients, "mine")


@pytest.mark.parametrize("path", ["/Encounter/.", "/Encounter/..", "/Encounter/../"])
def test_what_means_another_place_in_an_address_is_no_id(path: str) -> None:
    assert isinstance(read_interaction("GET", path, ""), Refusal)

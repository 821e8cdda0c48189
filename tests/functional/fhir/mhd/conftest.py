"""A hospital that provides documents, their author, and what the index says of them."""

import itertools
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from matching.records import Document, DocumentType
from registry.app import Renhice
from registry.database import new_id
from registry.directory.documents import document_token
from registry.directory.models import Professional
from registry.fhir.document_reading import SIGNATURE
from registry.settings import Settings
from tests.functional.fhir.conftest import Call, Json, rosa
from tests.functional.fhir.documents import submission
from tests.unit.locator.signing import authority, professional, write_anchors

CA = authority()
AUTHOR, STRANGER = professional(CA, "PNOPE-45671234", days=36_500), professional(CA, "PNOPE-99887766", days=36_500)
NUMBERS = itertools.count(10)
Provide = Callable[..., TestResponse]


@pytest.fixture(scope="module")
def settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    anchors = write_anchors(tmp_path_factory.mktemp("anchors"), CA)
    return settings.model_copy(update={"signature_anchors_dir": anchors})


@pytest.fixture
def patient(put: Call) -> Json:
    """A reference to a patient of hospital a, by the record's id."""
    return {"reference": f"Patient/{put('D-1', rosa()).json['id']}"}


@pytest.fixture
def provide(call: Call) -> Provide:
    def send(*documents: Json, token: str = "a-documents", **more: Any) -> TestResponse:
        number = more.pop("number", next(NUMBERS))
        return call("POST", "/fhir", submission(*documents, number=number, **more), token=token)

    return send


@pytest.fixture(scope="module")
def author(renhice: Renhice) -> UUID:
    """A professional of the directory, whose certificate is `AUTHOR`."""
    made = new_id()
    token = document_token(renhice.sealer, Document(DocumentType.DNI, "45671234", "PER"))
    with renhice.database.unit_of_work() as session:
        session.add(
            Professional(
                id=made,
                document_token=token,
                sealed=b"",
                college="CMP",
                number="1",
                able_to_practise=True,
            )
        )
    return made


def ids(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    locations = [entry["response"].get("location", "") for entry in answer.json["entry"]]
    return [one.split("/")[1] for one in locations if one.startswith("DocumentReference/")]


def found(call: Call, **query: str) -> list[str]:
    answer = call("GET", "/fhir/DocumentReference", token="a-documents", query_string=query)
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json.get("entry", [])]


def verdict(resource: Json) -> dict[str, Any]:
    [extension] = [one for one in resource["extension"] if one["url"] == SIGNATURE]
    return {one["url"]: next(value for name, value in one.items() if name != "url") for one in extension["extension"]}

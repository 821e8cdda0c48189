"""The shipped model, and a person to vary."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from matching.model import Model
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document, DocumentType

MakeRecord = Callable[..., Normalised]
ROSA = Demographics(
    documents=(Document(DocumentType.DNI, "41238567"),),
    paternal_surname="Huamán",
    maternal_surname="Ccori",
    given_names="Rosa Elvira",
    sex="F",
    birth_date=date(1985, 3, 12),
    ubigeo="080101",
    address="Av. El Sol 456",
    phone="984123456",
)


@pytest.fixture(scope="session")
def model() -> Model:
    return Model.load()


@pytest.fixture(scope="session")
def person() -> MakeRecord:
    """Rosa Huamán Ccori, normalised, with what the test changes."""

    def make(**changes: Any) -> Normalised:
        number = changes.pop("dni", None)
        if number is not None:
            changes["documents"] = (Document(DocumentType.DNI, number),) if number else ()
        return normalise(replace(ROSA, **changes))

    return make

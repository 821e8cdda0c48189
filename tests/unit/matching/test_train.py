import random
from datetime import date

import numpy as np
import pytest

from matching.batch import block
from matching.levels import FIELDS
from matching.model import Model
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document, DocumentType
from matching.table import tabulate
from matching.train import Settings, train

SURNAMES = ("QUISPE", "FLORES", "ROJAS", "HUAMAN", "CCORI", "LUNA", "APAZA", "VERA", "TICONA", "POMA")
GIVEN = ("ROSA", "JUAN", "ELENA", "LUIS", "CARMEN", "PEDRO", "ANA", "JORGE")


def population(persons: int, wrong_births: float) -> list[Normalised]:
    """Two records a person; a share of the second ones with another birth year."""
    rng = random.Random(5)
    records = []
    for _ in range(persons):
        record = Demographics(
            documents=(Document(DocumentType.DNI, f"{rng.randint(10_000_000, 79_999_999)}"),),
            paternal_surname=rng.choice(SURNAMES),
            maternal_surname=rng.choice(SURNAMES),
            given_names=" ".join(rng.sample(GIVEN, 2)),
            sex=rng.choice("MF"),
            birth_date=date(rng.randint(1940, 2020), rng.randint(1, 12), rng.randint(2, 28)),
        )
        born = record.birth_date
        assert born is not None
        again = date(born.year - 3 if rng.random() < wrong_births else born.year, born.month, born.day)
        records += [normalise(record), normalise(Demographics(**{**_fields(record), "birth_date": again}))]
    return records


def _fields(record: Demographics) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}


def test_training_finds_the_matches_and_how_often_they_err(model: Model) -> None:
    records = population(300, wrong_births=0.2)
    table = tabulate(records)
    pairs = block(table)
    settings = Settings(random_pairs=5_000, match_prior=5, iterations=15)
    document = train(model, table, pairs.one, pairs.other, settings)
    assert document["training"]["expected_matches"] == pytest.approx(300, rel=0.05)
    birth = document["fields"]["birth"]["levels"]
    assert 1 - birth["same"]["match"] - birth["same_partial"]["match"] == pytest.approx(0.2, abs=0.06)
    learnt = Model.from_document(document)
    assert set(learnt.levels) == set(FIELDS)
    assert document["training"]["from"] == model.hash != learnt.hash


def test_nothing_to_learn_from_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="at least two records"):
        train(model, tabulate([]), *np.zeros((2, 0), dtype=np.int64))

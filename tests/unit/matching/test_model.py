import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from matching.levels import FIELDS
from matching.model import Model, ModelError


@pytest.fixture
def document(model: Model) -> dict[str, Any]:
    return deepcopy(dict(model.document))


def test_the_shipped_model_covers_every_field(model: Model) -> None:
    assert set(model.levels) == set(FIELDS)
    assert model.version == "peru-1"
    assert len(model.hash) == 64


def test_every_match_share_is_a_distribution(model: Model) -> None:
    for name, levels in model.levels.items():
        assert sum(2 ** bits[0] for bits in levels.values()) == pytest.approx(1, abs=0.02), name


def test_the_hash_changes_with_any_weight(document: dict[str, Any]) -> None:
    before = Model.from_document(document).hash
    document["fields"]["sex"]["levels"]["same"]["match"] = 0.9
    assert Model.from_document(document).hash != before


def test_a_model_is_read_from_a_file(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(model.document), encoding="utf-8")
    assert Model.load(path).hash == model.hash


def test_more_people_need_more_evidence(model: Model) -> None:
    few, many = model.for_population(1_000), model.for_population(1_000_000)
    assert few.prior[0] - many.prior[0] == pytest.approx(9.97, abs=0.01)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', "\x00", '{"fields": null}'])
def test_garbage_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError):
        Model.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't read"):
        Model.load(tmp_path / "none.json")


@pytest.mark.parametrize("share", [-0.1, 7, "much", None])
def test_a_share_out_of_range_is_refused(document: dict[str, Any], share: object) -> None:
    document["fields"]["sex"]["levels"]["same"]["match"] = share
    with pytest.raises(ModelError):
        Model.from_document(document)


@pytest.mark.parametrize("part", ["fields", "thresholds", "names", "population", "relatives_per_person"])
def test_a_missing_part_is_refused(document: dict[str, Any], part: str) -> None:
    del document[part]
    with pytest.raises(ModelError):
        Model.from_document(document)


def test_a_missing_field_is_refused(document: dict[str, Any]) -> None:
    del document["fields"]["birth"]
    with pytest.raises(ModelError, match="birth"):
        Model.from_document(document)


def test_a_missing_level_is_refused(document: dict[str, Any]) -> None:
    del document["fields"]["given"]["levels"]["typo"]
    with pytest.raises(ModelError, match="given must have the levels"):
        Model.from_document(document)


def test_common_names_weigh_less(model: Model) -> None:
    assert model.surname_bits("QUISPE") > model.surname_bits("AZABACHE") > model.surname_bits("UNHEARDOF")
    assert model.given_bits("JOSE") > model.given_bits("ZAIDA") > model.given_bits("UNHEARDOF")

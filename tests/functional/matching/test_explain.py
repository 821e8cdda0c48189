"""`match explain`, `models` and `compare`."""

import json
from pathlib import Path

import pytest

from matching.cli.words import field_words, level_words
from matching.levels import FIELDS, LEVELS
from tests.functional.matching.conftest import Run

ROSA = '{"paternal_surname": "Huaman", "given_names": "Rosa", "birth_date": "1985-03-12"}'
OTHER = '{"paternal_surname": "Guaman", "given_names": "Rosa", "birth_date": "1985-12-03", "sex": null}'


def test_two_records_given_as_json(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(OTHER)
    found = json.loads(run("explain", "--json", ROSA, f"@{path}", "--format", "json").stdout)
    assert sum(part["bits"] for part in found["contributions"]) == pytest.approx(found["weight_bits"], abs=0.01)
    assert {(part["field"], part["level"]) for part in found["contributions"]} >= {
        ("paternal", "phonetic"),
        ("birth", "swapped"),
    }
    text = run("explain", "--json", ROSA, OTHER).stdout
    assert "sounds the same" in text
    assert "day and month exchanged" in text


def test_two_records_of_a_file(run: Run, benchmark: Path) -> None:
    first, second = (benchmark / "truth.csv").read_text().splitlines()[1:3]
    one, other = ("/".join(line.split(",")[:2]) for line in (first, second))
    result = run("explain", benchmark / "records.csv", "--pair", one, other)
    assert (result.exit_code, "weight" in result.stdout) == (0, True)
    assert run("explain", benchmark / "records.csv", "--pair", one, "9/nobody").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 2),
        (("--json", ROSA, "{"), 1),
        (("--json", ROSA, "[]"), 1),
        (("--json", ROSA, "@/nowhere"), 1),
        (("--json", ROSA, '{"surname": "Huaman"}'), 1),
        (("--json", ROSA, '{"birth_date": {"a": 1}, "given_names": ["x"]}'), 0),
    ],
)
def test_what_is_no_pair_of_records_is_refused(run: Run, arguments: tuple[str, ...], status: int) -> None:
    assert run("explain", *arguments).exit_code == status


def test_every_field_and_level_has_its_words() -> None:
    for field in FIELDS:
        assert field_words(field) != field or field in {"sex", "place", "address"}
        for level in LEVELS[field]:
            assert level_words(field, level)


def test_models_are_listed_and_compared(run: Run, benchmark: Path) -> None:
    assert "peru-1" in run("models").stdout
    result = run("compare", benchmark / "records.csv", "--model", "peru-1", "--with", "peru-expert")
    assert (result.exit_code, "100.00%" in result.stdout, "peru-expert" in result.stdout) == (0, True, True)

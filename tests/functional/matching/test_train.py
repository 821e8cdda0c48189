"""`match train`: a model that says what it learnt from, and serves the next command."""

import json
from pathlib import Path

import pytest

from matching.calibration import calibration_of
from matching.model import Model
from tests.functional.matching.conftest import Run

FEW = """establishment,local_id,document_type,document_number,paternal_surname,maternal_surname,given_names,birth_date
1,A,DNI,41238567,Huaman,Ccori,Rosa,1985-03-12
2,B,DNI,41238567,Huaman,Ccori,Rosa,1985-03-12
"""


def test_a_model_is_learnt_and_used(run: Run, benchmark: Path, tmp_path: Path) -> None:
    records, learnt, out = benchmark / "records.csv", tmp_path / "learnt.json", tmp_path / "clusters.csv"
    truth = benchmark / "truth.csv"
    result = run("train", records, "--out", learnt, "--model", "peru-expert", "--false-links", "0.05", "--truth", truth)
    assert result.exit_code == 0, result.stderr
    model = Model.load(learnt)
    facts = model.document["training"]
    assert model.version == "learnt"
    assert facts["records"] == len(records.read_text().splitlines()) - 1
    assert len(facts["from"]) == 64
    assert 100 < facts["population_found"] < 2000
    assert facts["link"]["low"] <= facts["link"]["rate"] <= facts["link"]["high"] <= 0.05
    assert facts["link"]["basis"] == "labelled sample"
    assert "pairs of settled persons" in result.stderr
    assert model.thresholds.link == facts["link"]["bits"]
    assert run("dedupe", records, "--out", out, "--model", learnt).exit_code == 0
    found = json.loads(run("evaluate", out, "--truth", truth, "--format", "json").stdout)
    assert found["pairwise"]["f1"]["value"] > 0.95
    assert "learnt" in run("models", learnt).stdout
    assert "records teach little" in result.stderr


def test_without_a_truth_the_calibration_says_how_many_links_are_false(
    run: Run, benchmark: Path, tmp_path: Path
) -> None:
    learnt = tmp_path / "learnt.json"
    result = run("train", benchmark / "records.csv", "--out", learnt, "--false-links", "0.05")
    assert result.exit_code == 0, result.stderr
    model = Model.load(learnt)
    facts = model.document["training"]["link"]
    assert (facts["basis"], facts["bits"]) == ("calibration", model.thresholds.link)
    assert 0 <= facts["low"] <= facts["rate"] <= facts["high"] <= 0.05
    assert f"links from {facts['bits']:g} bits on" in result.stderr
    assert "as far as these records are like the synthetic worlds of the calibration" in result.stderr
    assert calibration_of(model) is None
    listed = run("models", "peru-1", learnt).stdout.splitlines()
    assert ["not calibrated" in line for line in listed] == [False, False, True]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model", "peru-expert", "--false-links", "0.01"], "peru-expert is not calibrated"),
        (["--false-links", "0.000000001"], "the least that is shown is"),
        (["--truth", "strangers.csv"], "--truth is for --false-links"),
        (["--truth", "strangers.csv", "--false-links", "0.01"], "in the truth but not in the records: 9/NONE"),
        (["--truth", "empty.csv", "--false-links", "0.01"], "names nobody"),
        (["--truth", "garbage.csv", "--false-links", "0.01"], "wants local_id and one of cluster"),
    ],
    ids=["uncalibrated", "too-strict", "truth-alone", "strangers", "empty", "garbage"],
)
def test_what_can_not_be_promised_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("records.csv").write_text(FEW)
    Path("strangers.csv").write_text("establishment,local_id,person\n9,NONE,Rosa\n")
    Path("empty.csv").write_text("establishment,local_id,person\n")
    Path("garbage.csv").write_text("who,knows\n1,2\n")
    result = run("train", "records.csv", "--out", "learnt.json", *options)
    assert result.exit_code != 0
    assert told in result.stderr
    assert not Path("learnt.json").exists()


def test_nothing_to_learn_from_is_said(run: Run, tmp_path: Path) -> None:
    records = tmp_path / "records.csv"
    records.write_text("establishment,local_id,given_names\n1,A,Rosa\n1,B,Juan\n")
    result = run("train", records, "--out", tmp_path / "learnt.json")
    assert (result.exit_code, "at least two records and one compared pair" in result.stderr) == (1, True)
    assert not (tmp_path / "learnt.json").exists()

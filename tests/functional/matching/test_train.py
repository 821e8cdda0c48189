"""`match train`: a model that says what it learnt from, and serves the next command."""

import json
from pathlib import Path

from matching.model import Model
from tests.functional.matching.conftest import Run


def test_a_model_is_learnt_and_used(run: Run, benchmark: Path, tmp_path: Path) -> None:
    records, learnt, out = benchmark / "records.csv", tmp_path / "learnt.json", tmp_path / "clusters.csv"
    result = run("train", records, "--out", learnt, "--model", "peru-expert", "--false-links", "0.02")
    assert result.exit_code == 0, result.stderr
    model = Model.load(learnt)
    facts = model.document["training"]
    assert model.version == "learnt"
    assert facts["records"] == len(records.read_text().splitlines()) - 1
    assert len(facts["from"]) == 64
    assert 100 < facts["population_found"] < 2000
    assert facts["link"]["low"] <= facts["link"]["rate"] <= facts["link"]["high"] <= 0.02
    assert model.thresholds.link == facts["link"]["bits"]
    assert run("dedupe", records, "--out", out, "--model", learnt).exit_code == 0
    found = json.loads(run("evaluate", out, "--truth", benchmark / "truth.csv", "--format", "json").stdout)
    assert found["pairwise"]["f1"]["value"] > 0.95
    assert "learnt" in run("models", learnt).stdout


def test_nothing_to_learn_from_is_said(run: Run, tmp_path: Path) -> None:
    records = tmp_path / "records.csv"
    records.write_text("establishment,local_id,given_names\n1,A,Rosa\n1,B,Juan\n")
    result = run("train", records, "--out", tmp_path / "learnt.json")
    assert (result.exit_code, "at least two records and one compared pair" in result.stderr) == (1, True)
    assert not (tmp_path / "learnt.json").exists()

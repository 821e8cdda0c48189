"""`match evaluate`: the truth, whatever its order and its column."""

import json
from pathlib import Path

import pytest

from tests.functional.matching.conftest import Run

CLUSTERS = "establishment,local_id,cluster\n1,A,c1\n1,B,c1\n1,C,c3\n1,D,c3\n"
TRUTH = "person,local_id,establishment,remarks\nsecond,C,1,\nfirst,B,1,\nfirst,A,1,\nthird,D,1,\n"


@pytest.fixture
def clusters(tmp_path: Path) -> Path:
    path = tmp_path / "clusters.csv"
    path.write_text(CLUSTERS)
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(TRUTH)
    return path


def test_it_counts_pairs_records_and_both_ways_of_being_wrong(run: Run, clusters: Path, truth: Path) -> None:
    found = json.loads(run("evaluate", clusters, "--truth", truth, "--format", "json").stdout)
    assert (found["records"], found["persons"], found["clusters"]) == (4, 3, 2)
    assert (found["pairwise"]["precision"]["value"], found["pairwise"]["recall"]["value"]) == (0.5, 1.0)
    assert found["b_cubed"]["precision"]["value"] == 0.75
    assert (found["over_merged"], found["split"]) == (1, 0)
    text = run("evaluate", clusters, "--truth", truth, "--column", "person").stdout
    assert "B-cubed" in text
    assert "1 clusters over-merged, 0 persons split" in text


def test_records_are_linked_first(run: Run, benchmark: Path) -> None:
    result = run("evaluate", benchmark / "records.csv", "--truth", benchmark / "truth.csv", "--format", "json")
    assert json.loads(result.stdout)["pairwise"]["f1"]["value"] > 0.95


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TRUTH + "x,Z,9,\n", "1 records are in the truth but not in the clusters: 9/Z"),
        (TRUTH.replace("third,D,1,\n", ""), "1 records are in the clusters but not in the truth: 1/D"),
        (TRUTH + ",E,1,\n", "person is empty"),
        ("establishment,local_id\n1,A\n", "wants local_id and one of cluster, person"),
    ],
)
def test_what_does_not_fit_is_refused(run: Run, clusters: Path, truth: Path, content: str, says: str) -> None:
    truth.write_text(content)
    result = run("evaluate", clusters, "--truth", truth)
    assert (result.exit_code, says in result.stderr) == (1, True)


def test_rows_that_share_a_number_are_taken_in_order(run: Run, clusters: Path, truth: Path) -> None:
    clusters.write_text("establishment,local_id,cluster\n1,A,c1\n1,A,c2\n")
    truth.write_text("establishment,local_id,cluster\n1,A,x\n1,A,y\n")
    found = json.loads(run("evaluate", clusters, "--truth", truth, "--format", "json").stdout)
    assert (found["over_merged"], found["split"]) == (0, 0)

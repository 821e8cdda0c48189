"""What `prepare` leaves behind: private files, stable keys, and never the truth beside the product's data."""

import csv
import json
import stat
from pathlib import Path

import pytest

from sandbox.files import read_json
from sandbox.layout import Layout
from sandbox.places import ESTABLISHMENTS
from sandbox.prepare import Plan, prepare


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    plan = Plan("http://127.0.0.1:9", 30, 21000, tmp_path_factory.mktemp("var"))
    prepare(plan)
    return plan.layout


def test_every_file_is_private(layout: Layout) -> None:
    files = [layout.summary, *layout.folder.iterdir()]
    assert len(files) > 10
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.is_file()} == {0o600}


def test_preparing_again_changes_nothing(layout: Layout) -> None:
    def contents() -> dict[str, bytes]:
        found = [layout.summary, *layout.folder.glob("*.json"), layout.truth]
        return {path.name: path.read_bytes() for path in found}

    before = contents()
    prepare(Plan("http://127.0.0.1:9", 30, 21000, layout.var))
    assert contents() == before


def test_another_address_or_a_lost_file_is_mended_without_new_keys(layout: Layout) -> None:
    before = read_json(layout.summary)
    layout.directory.unlink()
    prepare(Plan("http://127.0.0.1:10", 30, 22000, layout.var))
    after = read_json(layout.summary)
    assert after["base_url"] == "http://127.0.0.1:10"
    assert after["people"] == before["people"]
    assert after["establishments"][0]["client"]["private_jwk"] == before["establishments"][0]["client"]["private_jwk"]
    assert read_json(layout.directory)["establishments"][0]["fhir_endpoint"] == "http://127.0.0.1:22002/fhir"
    prepare(Plan("http://127.0.0.1:9", 30, 21000, layout.var))
    assert read_json(layout.summary) == before


def test_the_directory_holds_public_keys_only(layout: Layout) -> None:
    directory = read_json(layout.directory)
    assert len(directory["establishments"]) == len(ESTABLISHMENTS) == 6
    private = {place["client"]["private_jwk"]["d"] for place in read_json(layout.summary)["establishments"]}
    assert len(private) == 6
    text = json.dumps(directory)
    assert not any(secret in text for secret in private)


def test_programs_have_a_port_each(layout: Layout) -> None:
    programs = read_json(layout.programs)
    assert sorted(program["port"] for program in programs) == list(range(21000, 21010))
    assert all(Path(program["argv"][-1]).is_absolute() for program in programs)


def test_the_story_s_people_can_sign_in(layout: Layout) -> None:
    summary = read_json(layout.summary)
    by_role = {role: person for person in reversed(summary["people"]) for role in person["roles"]}
    assert by_role["patient"]["document"] == summary["story"]["patient"]
    assert by_role["professional"]["document"]["number"]
    assert by_role["analyst"]["document"] == summary["story"]["analyst"]
    assert all(person["password"] and len(person["otp"]) == 6 for person in summary["people"])


def test_the_truth_is_kept_apart_and_names_nobody(layout: Layout) -> None:
    with layout.truth.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"person", "renipress", "local_number", "slips"}
    story = [row["renipress"] for row in rows if row["person"].startswith("S")]
    assert story == ["00990001", "00990002"]

"""The directory's commands, as an operator runs them."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from joserfc.jwk import ECKey
from sqlalchemy import select

from conformance.lines import Line, Part, broken, held
from conformance.lines import Result as Judged
from conformance.registry.keys import make_key
from conformance.report import Report
from conformance.signing import sign
from matching.records import Document, DocumentType
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.cli import cli
from registry.directory.documents import document_token
from registry.directory.models import ConformanceReport
from registry.directory.staff import administered
from registry.settings import Settings
from sandbox.certificates import make_authority, make_client, save
from tests.integration.directory.conftest import KEY, directory_file


@pytest.fixture
def environment(settings: Settings, renhice: Renhice) -> dict[str, str]:
    return {
        "RENHICE_ENVIRONMENT": "test",
        "RENHICE_DATABASE_URL": settings.database_url,
        "RENHICE_BROKER_URL": settings.broker_url,
        "RENHICE_KEYS_DIR": str(settings.keys_dir),
    }


def run(environment: dict[str, str], *words: str, typed: str | None = None) -> Result:
    result = CliRunner().invoke(cli, ["directory", *words], env=environment, input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def write(path: Path, content: object) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_the_story_of_a_record_system(environment: dict[str, str], tmp_path: Path) -> None:
    file = write(tmp_path / "directory.json", directory_file())
    first = run(environment, "import", file)
    assert (first.exit_code, "establishments: 2 added" in first.output) == (0, True)
    assert "record_systems: 1 same" in run(environment, "import", file).output
    assert "sihce-00990001  usable  until 2099-01-01  00990001" in run(environment, "list").output
    assert run(environment, "suspend", "sihce-00990001", "--reason", "key leaked").exit_code == 0
    assert "sihce-00990001  suspended" in run(environment, "list").output
    assert "now: usable" in run(environment, "reinstate", "sihce-00990001", "--reason", "key replaced").output
    assert run(environment, "accredit", "sihce-00990001", "--until", "2098-01-01").exit_code == 0
    assert "until 2098-01-01" in run(environment, "list").output


def test_a_role_is_granted_and_ended_without_the_number_in_the_command(environment: dict[str, str]) -> None:
    granted = run(environment, "grant-role", "steward", "--until", "2098-01-01", typed="DNI:60606063\n")
    assert (granted.exit_code, "is held until 2098-01-01" in granted.output) == (0, True)
    again = run(environment, "grant-role", "steward", "--until", "2098-01-01", typed="dni:60606063\n")
    assert "stood so already" in again.output
    ended = run(environment, "end-role", "steward", "--document", "DNI:60606063", "--reason", "left")
    assert ended.exit_code == 0
    twice = run(environment, "end-role", "steward", "--document", "DNI:60606063", "--reason", "left")
    assert (twice.exit_code, "does not hold the role" in twice.output) == (1, True)


def test_one_fault_leaves_everything_as_it_was_unless_told(
    environment: dict[str, str], tmp_path: Path, renhice: Renhice
) -> None:
    content = directory_file()
    content["establishments"][0] |= {"name": "Not applied", "renipress": "00990001"}
    content["establishments"][1] |= {"category": "IX"}
    file = write(tmp_path / "directory.json", content)
    refused = run(environment, "import", file)
    assert refused.exit_code == 1
    assert "establishments[1].category: Input should be" in refused.output
    assert "Nothing was changed" in refused.output
    assert "Not applied" not in run(environment, "list").output
    partial = run(environment, "import", file, "--skip-invalid")
    assert (partial.exit_code, "Not applied" in run(environment, "list").output) == (1, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("suspend", "sihce-nobody", "--reason", "x"), "no such record system"),
        (("accredit", "sihce-nobody", "--until", "2020"), "write a date such as"),
        (("accredit", "sihce-nobody", "--until", "2098-01-01"), "no such record system"),
        (("grant-role", "king", "--document", "DNI:60606063", "--until", "2098-01-01"), "is not one of"),
        (("grant-role", "analyst", "--document", "60606063", "--until", "2098-01-01"), "write TYPE:NUMBER"),
        (("grant-role", "analyst", "--document", "a:b:c:d", "--until", "2098-01-01"), "write TYPE:NUMBER"),
        (("grant-role", "analyst", "--document", "DNI:60606063", "--until", "2020-01-01"), "end in the future"),
        (("import", "/nowhere.json"), "does not exist"),
    ],
)
def test_a_mistake_is_explained(environment: dict[str, str], words: tuple[str, ...], message: str) -> None:
    result = run(environment, *words)
    assert result.exit_code != 0
    assert message in result.output
    assert "60606063" not in result.output


def test_a_missing_setting_or_database_is_explained(environment: dict[str, str]) -> None:
    nowhere = environment | {"RENHICE_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/none"}
    assert "The database does not answer" in run(nowhere, "list").output
    assert "RENHICE_DATABASE_URL" in run(environment | {"RENHICE_DATABASE_URL": "x"}, "list").output


def test_the_audit_names_the_operator_and_no_document(
    environment: dict[str, str], renhice: Renhice, tmp_path: Path
) -> None:
    run(environment, "import", write(tmp_path / "directory.json", directory_file()))
    run(environment, "grant-role", "analyst", "--document", "DNI:60606063", "--until", "2098-01-01")
    with renhice.database.unit_of_work() as session:
        events = session.scalars(select(AuditEvent)).all()
    assert events
    assert all(event.detail["operator"] for event in events)
    assert not any("60606063" in str(event.detail) for event in events)


def test_keys_are_registered_as_a_file_or_an_address_and_held_to_the_profile(
    environment: dict[str, str], tmp_path: Path, renhice: Renhice
) -> None:
    run(environment, "import", write(tmp_path / "directory.json", directory_file()))
    client = "sihce-00990001"
    published = run(environment, "register-keys", client, "--jwks-uri", "https://uno.example/jwks.json")
    assert "signs as a fapi2 client, with https://uno.example/jwks.json" in published.output
    p384 = write(tmp_path / "p384.json", {"keys": [ECKey.generate_key("P-384", {"kid": "a"}).as_dict(private=False)]})
    refused = run(environment, "register-keys", client, "--jwks", p384)
    assert (refused.exit_code, "none can sign as a fapi2 client must" in refused.output) == (1, True)
    app = run(environment, "register-keys", client, "--jwks", p384, "--profile", "smart")
    assert "signs as a smart client, with the keys registered" in app.output
    for words in ((), ("--jwks", p384, "--jwks-uri", "https://uno.example/jwks.json")):
        assert "one of them, and not both" in run(environment, "register-keys", client, *words).output
    assert "must use https" in run(environment, "register-keys", client, "--jwks-uri", "http://uno.example/").output
    garbage = tmp_path / "garbage.json"
    garbage.write_text("{")
    assert "is not JSON" in run(environment, "register-keys", client, "--jwks", str(garbage)).output
    query = select(AuditEvent).where(AuditEvent.action == "directory:record-system:keys-registered")
    with renhice.database.unit_of_work() as session:
        assert len(session.scalars(query).all()) == 2


def test_an_establishment_has_administrators_of_its_own(
    environment: dict[str, str], tmp_path: Path, renhice: Renhice
) -> None:
    run(environment, "import", write(tmp_path / "directory.json", directory_file()))
    person = ("--document", "DNI:94900123")
    grant = ("grant-role", "establishment-administrator", *person, "--until", "2097-01-01")
    assert run(environment, *grant).exit_code == 2
    assert run(environment, "grant-role", "steward", *grant[2:], "--establishment", "00990001").exit_code == 2
    assert run(environment, *grant, "--establishment", "09999999").exit_code == 1
    assert run(environment, *grant, "--establishment", "00990001").exit_code == 0
    assert "It stood so already" in run(environment, *grant, "--establishment", "00990001").output
    member = document_token(renhice.sealer, Document(DocumentType.DNI, "94900123"))

    def places() -> list[str]:
        with renhice.database.unit_of_work() as session:
            return [one.renipress for one in administered(session, member, datetime.now(UTC))]

    assert places() == ["00990001"]
    end = ("end-role", "establishment-administrator", *person, "--reason", "se fue", "--establishment")
    assert run(environment, *end, "00990001").exit_code == 0
    assert run(environment, *end, "00990001").exit_code == 1
    assert places() == []


def report(client: str = "sihce-00990001", **changes: Any) -> Report:
    """A report as the kit makes it."""
    moment = datetime.now(UTC).replace(microsecond=0)
    line = Line(id="token.good", asked="", norm="", expected="", mend="")
    said = {"results": [Judged("Tokens", line, held("HTTP 200"))], "finished_at": moment} | changes
    return Report(
        client_id=client, fhir_base="http://127.0.0.1:8190/fhir", software="Uno", parts=(Part.FEED, Part.SERVER),
        started_at=moment, latencies={}, **said,
    )  # fmt: skip


def signed(folder: Path, made: Report, key: ECKey) -> str:
    content = made.as_json(key.as_dict(private=False))
    (folder / "report.json").write_bytes(content)
    (folder / "report.json.jws").write_text(sign(content, key))
    return str(folder / "report.json")


def accredit(environment: dict[str, str], *words: str) -> Result:
    run(environment, "import", words[0])
    return run(environment, "accredit", "sihce-00990001", "--until", "2097-01-01", *words[1:])


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write(tmp_path / "directory.json", directory_file())


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    """The public keys of the record system itself, as a file."""
    return write(tmp_path / "client.json", {"keys": [KEY.as_dict(private=False)]})


def test_accreditation_rests_on_a_report_signed_by_whom_the_administrator_believes(
    environment: dict[str, str], file: str, theirs: str, tmp_path: Path, renhice: Renhice
) -> None:
    path = signed(tmp_path, report(), KEY)
    alone = accredit(environment, file, "--report", path)
    assert (alone.exit_code, "Say whose signature counts" in alone.output) == (2, True)
    for _ in range(2):
        assert accredit(environment, file, "--report", path, "--signed-by", theirs).exit_code == 0
    evaluator = make_key()
    jwks = write(tmp_path / "evaluator.json", {"keys": [evaluator.as_dict(private=False)]})
    other = signed(tmp_path, report(), evaluator)
    refused = accredit(environment, file, "--report", other, "--signed-by", theirs)
    assert "not signed by a key that counts" in refused.output
    assert accredit(environment, file, "--report", other, "--signed-by", jwks).exit_code == 0
    with renhice.database.unit_of_work() as session:
        kept = session.scalars(select(ConformanceReport).order_by(ConformanceReport.attached_at)).all()
        assert [row.signer for row in kept] == [KEY.thumbprint(), evaluator.thumbprint()]
        assert kept[1].sha256 == sha256(Path(other).read_bytes()).hexdigest()
        assert (kept[1].verdict, kept[1].summary["scope"]) == ("passed", ["feed", "server"])
        event = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "directory:record-system:accredited")
        ).all()[-1]
        assert kept[1].sha256 in event.detail["reason"]
    assert f"report of {datetime.now(UTC).date().isoformat()}" in run(environment, "list").output


FAILED = Judged("Tokens", Line(id="x", asked="", norm="", expected="", mend=""), broken(""))
OLD = datetime.now(UTC) - timedelta(days=181)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (report("sihce-other"), "about another system"),
        (report(results=[FAILED]), "says failed"),
        (report(finished_at=OLD), "180 days old at most"),
        (report(finished_at=datetime.now(UTC) + timedelta(days=1)), "180 days old at most"),
    ],
    ids=["another's", "failed", "old", "of tomorrow"],
)
def test_a_report_that_does_not_hold_accredits_nobody(
    environment: dict[str, str], file: str, theirs: str, tmp_path: Path, made: Report, message: str
) -> None:
    refused = accredit(environment, file, "--report", signed(tmp_path, made, KEY), "--signed-by", theirs)
    assert (refused.exit_code, message in refused.output) == (1, True)
    assert "sihce-00990001  usable  until 2099-01-01" in run(environment, "list").output


@pytest.mark.parametrize("garbage", [b"", b"[]", b"{}", b"\xff", b"[" * 50_000, b"x" * 5_000_000])
def test_garbage_is_no_report(
    environment: dict[str, str], file: str, theirs: str, tmp_path: Path, garbage: bytes
) -> None:
    path = Path(signed(tmp_path, report(), KEY))
    path.write_bytes(garbage)
    words = ("--report", str(path), "--signed-by", theirs)
    assert accredit(environment, file, *words).exit_code == 1
    path.with_name("report.json.jws").write_text(sign(garbage, KEY))
    assert accredit(environment, file, *words).exit_code == 1
    path.with_name("report.json.jws").unlink()
    assert "can't be read" in accredit(environment, file, *words).output


def test_what_no_table_could_keep_and_keys_that_are_none_are_clear_errors(
    environment: dict[str, str], file: str, theirs: str, tmp_path: Path
) -> None:
    path = Path(signed(tmp_path, report(), KEY))
    for keys in ([], None, "x"):
        refused = accredit(environment, file, "--report", str(path), "--signed-by", write(tmp_path / "keys.json", keys))
        assert (refused.exit_code, "JWK Set" in refused.output) == (1, True)
    said = json.loads(path.read_bytes())
    said["subject"]["software"] = "SIHCE \0"
    path.write_text(json.dumps(said))
    path.with_name("report.json.jws").write_text(sign(path.read_bytes(), KEY))
    refused = accredit(environment, file, "--report", str(path), "--signed-by", theirs)
    assert (refused.exit_code, "no report of the accreditation kit: subject.software" in refused.output) == (1, True)


def test_a_certificate_is_registered_and_ended(environment: dict[str, str], tmp_path: Path) -> None:
    run(environment, "import", write(tmp_path / "directory.json", directory_file()))
    holder = make_client(make_authority("Autoridad"), "sihce")
    save(holder, tmp_path / "sihce.key", tmp_path / "sihce.pem")
    names = ("--application", "SIHCE", "--facility", "UNO")
    register = ("register-certificate", "sihce-00990001", "--certificate")
    done = run(environment, *register, str(tmp_path / "sihce.pem"), *names)
    assert (done.exit_code, holder.sha256 in done.output) == (0, True)
    assert run(environment, *register, str(tmp_path / "sihce.key"), *names).exit_code == 1
    assert run(environment, *register, str(tmp_path / "sihce.pem"), "--application", "|", *names[2:]).exit_code == 1
    assert run(environment, "end-certificate", holder.sha256, "--reason", "lost").exit_code == 0
    assert run(environment, "end-certificate", holder.sha256, "--reason", "lost").exit_code == 1
    assert run(environment, "end-certificate", "xyz", "--reason", "lost").exit_code == 1

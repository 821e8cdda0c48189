"""The adapter against a simulated RENIEC over real HTTP, in good health and in every failure seen in the field."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from matching.records import Document, DocumentType
from registry.breaker import Breakers
from registry.pide.port import IdentityCheck, Status
from registry.pide.reniec import NoIdentityRegistry, ReniecOverPide, make_identity_registry
from registry.settings import Settings
from sandbox.citizens import Citizens
from tests.functional.pide.conftest import CONTROL

Lookup = Callable[[str], IdentityCheck]


def settings(url: str, password: str = "first-password") -> Settings:
    return Settings(
        environment="test", database_url="postgresql://u@h/d", broker_url="memory://", keys_dir=Path("/nowhere"),
        pide_url=url, pide_official_dni="94901918", pide_entity_ruc="20999000001", pide_password=password,
        pide_timeout_seconds=0.5,
    )  # fmt: skip


@pytest.fixture
def registry(url: str) -> Iterator[ReniecOverPide]:
    adapter = make_identity_registry(settings(url))
    assert isinstance(adapter, ReniecOverPide)
    yield adapter
    adapter.http.close()


@pytest.fixture
def lookup(registry: ReniecOverPide) -> Lookup:
    return lambda number: registry.lookup(Document(DocumentType.DNI, number))


def switch(url: str, mode: str, seconds: float = 5) -> None:
    headers = {"Authorization": f"Bearer {CONTROL}"}
    assert httpx.post(f"{url}/control", json={"mode": mode, "seconds": seconds}, headers=headers).status_code == 200


def test_a_citizen_is_verified_by_name(citizen: tuple[Citizens, str], lookup: Lookup) -> None:
    citizens, number = citizen
    known = citizens.find(number)
    check = lookup(number)
    assert (check.status, check.found, check.source) == (Status.VERIFIED, True, "RENIEC/PIDE")
    assert check.names is not None
    assert (check.names.given_names, check.names.paternal_surname) == (known.given_names, known.paternal_surname)
    assert check.restriction is None
    assert check.fetched_at.tzinfo is not None


def test_an_unknown_number_is_not_found(lookup: Lookup) -> None:
    check = lookup("99999901")
    assert (check.status, check.found, check.names) == (Status.NOT_FOUND, False, None)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("99999902", "not-understood"),
        ("99999903", "http-500"),
        ("99999905", "no-person-data"),
        ("99999907", "not-understood"),
    ],
)
def test_a_broken_answer_is_unverified(lookup: Lookup, number: str, reason: str) -> None:
    check = lookup(number)
    assert (check.status, check.reason, check.names) == (Status.UNVERIFIED, reason, None)


def test_a_single_surname_is_a_full_answer_and_a_death_is_told(lookup: Lookup) -> None:
    blank, deceased = lookup("99999904"), lookup("99999908")
    assert blank.status is Status.VERIFIED
    assert blank.names is not None
    assert blank.names.maternal_surname is None
    assert deceased.restriction == "FALLECIMIENTO"


def test_a_slow_answer_is_unverified_in_time(url: str, lookup: Lookup) -> None:
    switch(url, "normal", seconds=1.5)
    assert lookup("99999906").reason == "timeout"


def test_the_same_number_is_asked_once(url: str, citizen: tuple[Citizens, str], lookup: Lookup) -> None:
    first = lookup(citizen[1])
    switch(url, "error")
    try:
        assert lookup(citizen[1]) is first
        assert lookup("40404041").reason == "http-500"
    finally:
        switch(url, "normal")
    assert lookup("40404041").status is not Status.UNVERIFIED


def test_refused_credentials_are_unverified_and_rest_the_account(url: str) -> None:
    adapter = make_identity_registry(settings(url, password="wrong-password"))
    assert isinstance(adapter, ReniecOverPide)
    with adapter.http:
        reasons = [adapter.lookup(Document(DocumentType.DNI, "40404041")).reason for _ in range(6)]
    assert reasons == ["refused"] * 5 + ["breaker-open"]


def test_a_breaker_spares_a_broken_service_and_tries_again(url: str, registry: ReniecOverPide) -> None:
    moment = 0.0
    registry.breakers = Breakers(threshold=2, rest_seconds=30, clock=lambda: moment)
    document = Document(DocumentType.DNI, "99999903")
    assert [registry.lookup(document).reason for _ in range(3)] == ["http-500", "http-500", "breaker-open"]
    moment = 31.0
    assert registry.lookup(Document(DocumentType.DNI, "99999901")).status is Status.NOT_FOUND
    assert registry.lookup(document).reason == "http-500"


def test_nobody_listening_is_unverified() -> None:
    adapter = make_identity_registry(settings("http://127.0.0.1:9"))
    assert isinstance(adapter, ReniecOverPide)
    with adapter.http:
        assert adapter.lookup(Document(DocumentType.DNI, "40404041")).reason == "unreachable"


@pytest.mark.parametrize(
    "document",
    [Document(DocumentType.CE, "001234567"), Document(DocumentType.DNI, "1"), Document(DocumentType.DNI, "４0404041")],
)
def test_what_reniec_does_not_know_is_not_asked(registry: ReniecOverPide, document: Document) -> None:
    assert registry.lookup(document).reason == "unsupported-document"


def test_without_an_account_nothing_is_confirmed() -> None:
    bare = settings("http://127.0.0.1:9").model_copy(update={"pide_password": None})
    adapter = make_identity_registry(bare)
    assert isinstance(adapter, NoIdentityRegistry)
    assert adapter.lookup(Document(DocumentType.DNI, "40404041")).reason == "not-configured"

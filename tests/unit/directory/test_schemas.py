"""What a directory file may hold, item by item."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey
from pydantic import ValidationError

from registry.directory.schemas import DocumentItem, EstablishmentItem, Item, RecordSystemItem, StaffItem

PUBLIC = ECKey.generate_key("P-256", {"kid": "one"}).as_dict(private=False)
ESTABLISHMENT = {
    "renipress": "00990001", "name": "Hospital Uno", "category": "III-1", "sector": "MINSA", "region": "LIMA",
    "ubigeo": "150101", "fhir_endpoint": "https://uno.example/fhir/", "identifier_system": "urn:oid:1.2.3",
    "active": True,
}  # fmt: skip
SYSTEM = {
    "client_id": "sihce-1", "name": "SIHCE", "version": "1", "establishment": "00990001", "authority": "MINSA",
    "accredited_from": "2026-01-01", "accredited_until": "2027-01-01", "jwks": {"keys": [PUBLIC]},
    "redirect_uris": ["https://uno.example/callback"], "scopes": ["system/Patient.cu"],
}  # fmt: skip


def fault(kind: type[Item], content: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(content)
    [error] = caught.value.errors()
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def test_a_bare_date_is_midnight_in_lima() -> None:
    item = RecordSystemItem.model_validate(SYSTEM)
    assert item.accredited_until.isoformat() == "2027-01-01T00:00:00-05:00"


def test_the_endpoint_has_no_trailing_slash() -> None:
    assert EstablishmentItem.model_validate(ESTABLISHMENT).fhir_endpoint == "https://uno.example/fhir"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("renipress", "6213", "match pattern"),
        ("ubigeo", "15010", "match pattern"),
        ("category", "IV", "Input should be"),
        ("name", "  ", "at least 1 character"),
        ("name", "a\x00b", "match pattern"),
        ("fhir_endpoint", "http://uno.example/fhir", "must use https"),
        ("fhir_endpoint", "https://user:secret@uno.example/fhir", "no user name"),
        ("fhir_endpoint", "https://uno.example/fhir?x=1", "no query"),
        ("fhir_endpoint", "https://uno.example/a b", "absolute https"),
        ("fhir_endpoint", "file:///etc/passwd", "absolute https"),
        ("identifier_system", "hc 1", "absolute URI"),
        ("identifier_system", "urn:a|b", "absolute URI"),
        ("activ", True, "Extra inputs"),
    ],
)
def test_an_establishment_that_breaks_a_rule(field: str, value: object, words: str) -> None:
    message = fault(EstablishmentItem, ESTABLISHMENT | {field: value})
    assert message.startswith(field)
    assert words in message


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("accredited_until", "2025-01-01", "must come after"),
        ("accredited_until", "2027-13-01", "month must be in"),
        ("accredited_until", "2027-01-01T00:00:00", "needs a time zone"),
        ("accredited_until", "9999-12-31", "between 1900 and 2200"),
        ("redirect_uris", ["https://uno.example/c#f"], "fragment"),
        ("scopes", ["system/*.cruds"], "not a scope of this registry"),
        ("client_id", "a b", "match pattern"),
        ("client_id", "x" * 101, "match pattern"),
    ],
)
def test_a_record_system_that_breaks_a_rule(field: str, value: object, words: str) -> None:
    assert words in fault(RecordSystemItem, SYSTEM | {field: value})


@pytest.mark.parametrize(
    ("jwks", "words"),
    [
        ({}, "not a usable JWK Set"),
        ({"keys": []}, "not a usable JWK Set"),
        ({"keys": "x"}, "not a usable JWK Set"),
        ({"keys": [{"kty": "EC", "crv": "P-256", "kid": "a"}]}, "not a usable JWK Set"),
        ({"keys": [PUBLIC, PUBLIC]}, "a kid of its own"),
        ({"keys": [PUBLIC | {"kid": ""}]}, "a kid of its own"),
        ({"keys": [PUBLIC | {"kid": "a\x00"}]}, "NUL|not a usable"),
        ({"keys": [{key: value for key, value in PUBLIC.items() if key != "kid"}]}, "not a usable JWK Set"),
        ({"keys": [PUBLIC, {"kty": "ML", "kid": "b"}]}, "known kty"),
        ({"keys": [ECKey.generate_key("P-256", {"kid": "a"}).as_dict(private=True)]}, "private"),
        ({"keys": [OctKey.generate_key(256, {"kid": "a"}).as_dict(private=True)]}, "symmetric"),
        ({"keys": [{"kty": "RSA", "kid": "a", "e": "AQAB", "n": "s" * 171}]}, "2048"),
        ({"keys": [{"kty": "RSA", "kid": "a", "e": "AQAB", "n": "A" * 200 + "s" * 171}]}, "2048"),
        ({"keys": [ECKey.generate_key("P-521", {"kid": "a"}).as_dict(private=False)]}, "P-384"),
        ({"keys": [PUBLIC | {"use": "enc"}]}, "encryption"),
        ({"keys": [ECKey.generate_key("P-384", {"kid": "a"}).as_dict(private=False)]}, "a fapi2 client must"),
    ],
)
def test_only_strong_public_keys_with_a_name_are_taken(jwks: dict[str, Any], words: str) -> None:
    message = fault(RecordSystemItem, SYSTEM | {"jwks": jwks})
    assert any(word in message for word in words.split("|")), message
    assert "'d'" not in message


def test_each_profile_registers_keys_it_can_sign_with() -> None:
    keys = {"keys": [ECKey.generate_key("P-384", {"kid": "a"}).as_dict(private=False)]}
    assert RecordSystemItem.model_validate(SYSTEM | {"jwks": keys, "profile": "smart"}).profile == "smart"
    assert RecordSystemItem.model_validate(SYSTEM).profile == "fapi2"
    assert "a smart client must" in fault(RecordSystemItem, SYSTEM | {"profile": "smart"})
    assert "Input should be 'fapi2' or 'smart'" in fault(RecordSystemItem, SYSTEM | {"profile": "oidc"})


def test_a_number_has_the_form_of_its_document() -> None:
    assert "form of a DNI" in fault(DocumentItem, {"type": "DNI", "number": "4040404"})
    assert DocumentItem.model_validate({"type": "PASSPORT", "number": " ab123 ", "country": "BOL"}).number == "AB123"
    staff = {"document": {"type": "DNI", "number": "40404041"}, "until": "2099-01-01", "role": "king"}
    assert fault(StaffItem, staff).startswith("role")

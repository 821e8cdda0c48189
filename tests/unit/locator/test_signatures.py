"""The verdict on a document's signature: verified, or why not."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.locator.signatures.judging import Judgement, judge
from registry.locator.signatures.signed import Reason, State
from registry.locator.signatures.trust import TrustAnchors
from tests.unit.locator.signing import (
    BY_HASH,
    DAY,
    NOW,
    Party,
    authority,
    flip,
    professional,
    revoke,
    sign_jws,
    sign_xml,
    write_anchors,
)

URI, BYTES = "https://hospital.example.pe/fhir/Binary/7", b"%PDF-1.7 alta"
CA = authority()
SIGNER = professional(CA)
ANCHORS = TrustAnchors((CA.certificate,))
KINDS = {"application/jose": sign_jws, "application/signature+xml": sign_xml}
both = pytest.mark.parametrize("kind", list(KINDS))


def judged(kind: str, data: bytes, **more: Any) -> Judgement:
    wanted = {"uris": {URI}, "declared": None, "anchors": ANCHORS, "moment": NOW} | more
    return judge(kind, data, **wanted)


@both
def test_a_professionals_signature_over_the_hash_is_verified(kind: str) -> None:
    found = judged(kind, KINDS[kind](SIGNER, {URI: BYTES}), declared=sha256(BYTES).digest())
    assert (found.state, found.reason, found.digest) == (State.VERIFIED, None, sha256(BYTES).digest())
    assert found.signer is not None
    assert found.signer.number == "40718293"


@both
def test_a_chain_over_an_intermediate_authority_and_a_key_of_rsa(kind: str) -> None:
    """As the State's authorities issue them: a root, one below it, RSA, and a purpose besides signing documents."""
    signer = professional(authority("ECEP intermedia", CA), rsa_key=True)
    assert judged(kind, KINDS[kind](signer, {URI: BYTES})).state is State.VERIFIED
    alone = Party(signer.key, signer.certificate)
    assert judged(kind, KINDS[kind](alone, {URI: BYTES})).reason is Reason.UNTRUSTED


def test_only_what_is_signed_counts_in_xml() -> None:
    signed = sign_xml(SIGNER, {"urn:other": b"b"})
    mine = sign_xml(professional(authority("Otra")), {URI: BYTES})
    unsigned = mine[mine.index(b"<ds:Object") : mine.index(b"</ds:Object>")] + b"</ds:Object>"
    wrapped = signed.replace(b"</ds:Signature>", unsigned.replace(b'"object"', b'"more"') + b"</ds:Signature>")
    assert wrapped != signed
    assert judged("application/signature+xml", wrapped).reason in {Reason.OTHER_DOCUMENT, Reason.WRONG}


@both
def test_other_bytes_or_another_document_are_invalid(kind: str) -> None:
    data = KINDS[kind](SIGNER, {URI: BYTES})
    assert judged(kind, data, declared=sha256(b"otro").digest()).reason is Reason.DIGEST_DIFFERS
    assert judged(kind, data, uris={"https://hospital.example.pe/fhir/Binary/8"}).reason is Reason.OTHER_DOCUMENT
    assert judged(kind, data, uris={"x"}).state is State.INVALID


@both
def test_what_was_altered_is_invalid(kind: str) -> None:
    data = KINDS[kind](SIGNER, {URI: BYTES, "urn:b": b"b"})
    other = KINDS[kind](SIGNER, {URI: b"otro", "urn:b": b"b"})
    if kind == "application/jose":
        altered = other.split(b".")[0] + b".." + data.split(b".")[2]
    else:
        altered = flip(data, b"Binary/7", b"Binary/9")
    assert judged(kind, altered).reason is Reason.WRONG
    assert judged(kind, altered).state is State.INVALID


@both
def test_a_certificate_nobody_trusts_leaves_it_unverified(kind: str) -> None:
    data = KINDS[kind](professional(authority("Otra")), {URI: BYTES})
    assert (judged(kind, data).state, judged(kind, data).reason) == (State.UNVERIFIED, Reason.UNTRUSTED)
    assert judged(kind, KINDS[kind](SIGNER, {URI: BYTES}), anchors=TrustAnchors()).reason is Reason.UNTRUSTED


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        (professional(CA, days=-1), Reason.NOT_IN_FORCE),
        (professional(CA, signs=False), Reason.UNTRUSTED),
        (professional(CA, None), Reason.SIGNER_UNKNOWN),
        (professional(CA, "RUC20131373237"), Reason.SIGNER_UNKNOWN),
    ],
    ids=["expired", "not-for-signing", "nameless", "a-company"],
)
def test_what_can_not_be_told_is_unverified(signer: Any, reason: Reason) -> None:
    found = judged("application/jose", sign_jws(signer, {URI: BYTES}))
    assert (found.state, found.reason) == (State.UNVERIFIED, reason)
    assert found.signer is None


def test_a_certificate_signed_by_a_professional_is_not_trusted() -> None:
    forged = professional(SIGNER, "PNOPE-99999999")
    data = sign_jws(Party(forged.key, forged.certificate, (SIGNER.certificate,)), {URI: BYTES})
    assert judged("application/jose", data).reason is Reason.UNTRUSTED


def test_a_revoked_certificate_makes_it_invalid(tmp_path: Path) -> None:
    revoked = professional(CA)
    anchors = TrustAnchors.load(write_anchors(tmp_path, CA, lists=[revoke(CA, revoked)]))
    found = judged("application/jose", sign_jws(revoked, {URI: BYTES}), anchors=anchors)
    assert (found.state, found.reason) == (State.INVALID, Reason.REVOKED)
    assert judged("application/jose", sign_jws(SIGNER, {URI: BYTES}), anchors=anchors).state is State.VERIFIED


def test_a_list_that_its_issuer_did_not_sign_revokes_nothing() -> None:
    forged = revoke(Party(authority().key, CA.certificate), SIGNER)
    anchors = TrustAnchors((CA.certificate,), (forged,))
    assert judged("application/jose", sign_jws(SIGNER, {URI: BYTES}), anchors=anchors).state is State.VERIFIED


def test_the_moment_of_receipt_counts() -> None:
    data = sign_jws(professional(CA, days=5), {URI: BYTES})
    assert judged("application/jose", data, moment=NOW + 4 * DAY).state is State.VERIFIED
    assert judged("application/jose", data, moment=NOW + 6 * DAY).reason is Reason.NOT_IN_FORCE


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"alg": "none"}, Reason.UNSUPPORTED),
        ({"alg": "HS256"}, Reason.UNSUPPORTED),
        ({"sigD": {"mId": BY_HASH, "hashM": ["S256"]}}, Reason.UNSUPPORTED),
        ({"alg": ["ES256"]}, Reason.UNSUPPORTED),
        ({"x5c": []}, Reason.UNSUPPORTED),
        ({"x5c": ["@@"]}, Reason.UNREADABLE),
        ({"sigD": {"mId": "x"}}, Reason.UNSUPPORTED),
        ({"b64": False}, Reason.UNSUPPORTED),
    ],
    ids=["none", "hmac", "hash-list", "list", "no-certificate", "bad-certificate", "no-hash", "b64"],
)
def test_a_header_that_is_not_taken(more: dict[str, Any], reason: Reason) -> None:
    assert judged("application/jose", reheaded(sign_jws(SIGNER, {URI: BYTES}), more)).reason is reason


def reheaded(data: bytes, more: dict[str, Any]) -> bytes:
    """The same signature under a header that says something else."""
    header, _, signature = data.split(b".")
    said = json.loads(urlsafe_b64decode(header + b"==")) | more
    return urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=") + b".." + signature


def test_unknown_kinds_and_too_much_are_not_read() -> None:
    assert judged("text/plain", b"x").reason is Reason.UNSUPPORTED
    assert judged("application/jose", b"." * 40_000).reason is Reason.UNSUPPORTED


def test_entities_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><Signature xmlns="http://www.w3.org/2000/09/xmldsig#">&a;</Signature>'
    assert judged("application/signature+xml", bomb).reason in {Reason.UNSUPPORTED, Reason.UNREADABLE}


@given(kind=st.sampled_from(sorted(KINDS)), data=st.binary(max_size=200))
def test_any_bytes_are_judged(kind: str, data: bytes) -> None:
    assert judged(kind, data).state is not State.VERIFIED
    assert judged(kind, sign_jws(SIGNER, {URI: BYTES})[: len(data)] + data).state is not State.VERIFIED

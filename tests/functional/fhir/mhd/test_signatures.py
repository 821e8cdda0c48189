"""The verdict on a document's signature: it stays visible, and nobody else's word counts for it."""

from hashlib import sha256
from uuid import UUID

import pytest

from registry.database import new_id
from registry.fhir.document_reading import SIGNATURE
from registry.settings import Settings
from tests.functional.fhir.conftest import Call, Json
from tests.functional.fhir.documents import BASE, document, sha256_extension, signed
from tests.functional.fhir.mhd.conftest import AUTHOR, NUMBERS, STRANGER, Provide, ids, verdict
from tests.unit.locator.signing import authority, professional, sign_jws, sign_xml


@pytest.mark.parametrize("kind", ["application/jose", "application/signature+xml"])
def test_a_signature_of_the_author_is_verified(
    call: Call, provide: Provide, patient: Json, author: UUID, kind: str
) -> None:
    number, content = next(NUMBERS), b"%PDF epicrisis"
    signing = {"application/jose": sign_jws, "application/signature+xml": sign_xml}[kind]
    url = f"{BASE}/Binary/doc-{number}"
    data = signing(AUTHOR, {url: content})
    sent = document(patient, number, attachment=sha256_extension(sha256(content).digest()))
    sent["author"] = [{"reference": f"Practitioner/{author}"}]
    [made] = ids(provide(sent, others=[signed(data, kind)]))
    read = call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json
    assert verdict(read)["estado"] == "verified"
    assert verdict(read)["firmante"] == {"reference": f"Practitioner/{author}"}


WRONG = {
    "other-bytes": (AUTHOR, b"otro", "invalid", "digest-differs"),
    "unknown-signer": (STRANGER, b"x", "unverified", "signer-unknown"),
    "untrusted": (professional(authority("Otra"), days=36_500), b"x", "unverified", "certificate-untrusted"),
}


@pytest.mark.parametrize("wrong", list(WRONG))
@pytest.mark.usefixtures("author")
def test_what_is_wrong_with_a_signature_stays_visible(call: Call, provide: Provide, patient: Json, wrong: str) -> None:
    signer, bytes_signed, state, reason = WRONG[wrong]
    number = next(NUMBERS)
    data = sign_jws(signer, {f"{BASE}/Binary/doc-{number}": bytes_signed})
    sent = document(patient, number, attachment=sha256_extension(sha256(b"x").digest()))
    [made] = ids(provide(sent, others=[signed(data)]))
    read = call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json
    assert (verdict(read)["estado"], verdict(read)["motivo"]) == (state, reason)


@pytest.mark.usefixtures("author")
def test_a_signature_of_somebody_else_than_the_author_is_invalid(call: Call, provide: Provide, patient: Json) -> None:
    number = next(NUMBERS)
    sent = document(patient, number, author=[{"reference": f"Practitioner/{new_id()}"}])
    [made] = ids(provide(sent, others=[signed(sign_jws(AUTHOR, {f"{BASE}/Binary/doc-{number}": b"x"}))]))
    read = call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json
    assert (verdict(read)["estado"], verdict(read)["motivo"]) == ("invalid", "signer-not-author")


def test_a_verdict_that_a_sender_claims_is_not_believed(call: Call, provide: Provide, patient: Json) -> None:
    claimed = [{"url": SIGNATURE, "extension": [{"url": "estado", "valueCode": "verified"}]}]
    [made] = ids(provide(document(patient, next(NUMBERS), extension=claimed)))
    assert verdict(call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json)["estado"] == "unverified"


def test_anchors_that_can_not_be_read_judge_nothing(provide: Provide, settings: Settings, patient: Json) -> None:
    assert settings.signature_anchors_dir
    spoilt = settings.signature_anchors_dir / "z.pem"
    spoilt.write_text("no certificate")
    try:
        assert provide(document(patient, next(NUMBERS)), others=[signed(b"x")]).status_code == 503
    finally:
        spoilt.unlink()


def test_the_signatures_are_read_as_they_were_sent(call: Call, provide: Provide, patient: Json) -> None:
    number = next(NUMBERS)
    data = sign_jws(AUTHOR, {f"{BASE}/Binary/doc-{number}": b"x"})
    [made] = ids(provide(document(patient, number), others=[signed(data)]))
    read = call("GET", f"/fhir/Provenance/{made}", token="a-documents").json
    assert read["target"] == [{"reference": f"DocumentReference/{made}"}]
    assert read["signature"] == signed(data)[1]["signature"]
    query = {"target": f"DocumentReference/{made}"}
    assert call("GET", "/fhir/Provenance", token="a-documents", query_string=query).json["total"] == 1

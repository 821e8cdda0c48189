"""A certification authority, a professional's certificate, and the two kinds of signature; all invented."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import import_key
from joserfc.jws import serialize_compact
from lxml import etree
from signxml import SignatureMethod, XMLSigner
from signxml.algorithms import SignatureConstructionMethod

from registry.locator.signatures.jades import BY_HASH, REGISTRY

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DS = "http://www.w3.org/2000/09/xmldsig#"


@dataclass(frozen=True)
class Party:
    """A key with its certificate, and the certificates above it."""

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> list[x509.Certificate]:
        return [self.certificate, *self.above]


def name(common: str, serial: str | None = None) -> x509.Name:
    found = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    return x509.Name(found + ([x509.NameAttribute(NameOID.SERIAL_NUMBER, serial)] if serial else []))


def _usage(**yes: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{one: yes.get(one, False) for one in names})


def authority(common: str = "ECEP de prueba", above: Party | None = None) -> Party:
    """An authority that signs certificates: a root, or one below another."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = above.certificate.subject if above else name(common)
    made = (
        _builder(name(common), issuer, key, 36_500)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if above else 1), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if above is None:
        return Party(key, made.sign(key, SHA256()))
    return Party(key, made.add_extension(_below(above), critical=False).sign(above.key, SHA256()), (above.certificate,))


def professional(
    issuer: Party, serial: str | None = "PNOPE-40718293", *, days: int = 365, signs: bool = True, rsa_key: bool = False
) -> Party:
    """A certificate of a professional, with the document in its subject; its chain is the issuer's without the root."""
    key = rsa.generate_private_key(65_537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
    made = (
        _builder(name("Juana Quispe", serial), issuer.certificate.subject, key, days)
        .add_extension(_usage(content_commitment=signs, key_agreement=not signs), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(_below(issuer), critical=False)
    )
    above = (issuer.certificate,) if issuer.above else ()
    return Party(key, made.sign(issuer.key, SHA256()), above)


def _below(issuer: Party) -> x509.AuthorityKeyIdentifier:
    subject_key = x509.SubjectKeyIdentifier.from_public_key(issuer.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 30 * DAY)
        .not_valid_after(NOW + days * DAY)
    )


def revoke(issuer: Party, *parties: Party) -> x509.CertificateRevocationList:
    """A list of the issuer's that names these certificates."""
    made = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    made = made.last_update(NOW - DAY).next_update(NOW + 7 * DAY)
    for party in parties:
        number = party.certificate.serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(NOW - DAY).build()
        made = made.add_revoked_certificate(entry)
    return made.sign(issuer.key, SHA256())


def write_anchors(directory: Path, *parties: Party, lists: Sequence[x509.CertificateRevocationList] = ()) -> Path:
    """A directory of trust anchors as an operator keeps it."""
    for number, party in enumerate(parties):
        (directory / f"{number}.pem").write_bytes(party.certificate.public_bytes(Encoding.PEM))
    for number, one in enumerate(lists):
        (directory / f"{number}.crl").write_bytes(one.public_bytes(Encoding.PEM))
    return directory


def sign_jws(signer: Party, documents: dict[str, bytes], **more: Any) -> bytes:
    """A JWS over the hashes of documents by URI (JAdES, ObjectIdByURIHash)."""
    hashes = [urlsafe_b64encode(sha256(one).digest()).rstrip(b"=").decode() for one in documents.values()]
    elliptic = isinstance(signer.key, ec.EllipticCurvePrivateKey)
    header = {
        "alg": "ES256" if elliptic else "PS256",
        "x5c": [b64encode(one.public_bytes(Encoding.DER)).decode() for one in signer.chain],
        "crit": ["sigD"],
        "sigD": {"mId": BY_HASH, "pars": list(documents), "hashM": "S256", "hashV": hashes},
    } | more
    pem = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return serialize_compact(header, b"", import_key(pem, "EC" if elliptic else "RSA"), registry=REGISTRY).encode()


def sign_xml(signer: Party, documents: dict[str, bytes]) -> bytes:
    """An XML signature over a manifest of hashes (IHE DSG)."""
    manifest = etree.Element(f"{{{DS}}}Manifest", nsmap={None: DS})
    for uri, content in documents.items():
        reference = etree.SubElement(manifest, f"{{{DS}}}Reference", URI=uri)
        etree.SubElement(reference, f"{{{DS}}}DigestMethod", Algorithm="http://www.w3.org/2001/04/xmlenc#sha256")
        etree.SubElement(reference, f"{{{DS}}}DigestValue").text = b64encode(sha256(content).digest()).decode()
    elliptic = isinstance(signer.key, ec.EllipticCurvePrivateKey)
    algorithm = SignatureMethod.ECDSA_SHA256 if elliptic else SignatureMethod.RSA_SHA256
    maker = XMLSigner(method=SignatureConstructionMethod.enveloping, signature_algorithm=algorithm)
    return etree.tostring(maker.sign(manifest, key=signer.key, cert=signer.chain))


def flip(data: bytes, old: bytes, new: bytes) -> bytes:
    """The same bytes with one part replaced, which must be there."""
    assert old in data
    return data.replace(old, new, 1)

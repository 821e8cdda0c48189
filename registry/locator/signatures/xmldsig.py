"""XML signature over a manifest of hashes (IHE ITI TF-3 §5.5, Document Digital Signature; W3C XML-DSig Core §5.1).

The manifest lies inside the signature and lists each document's URI and SHA-256: it can be checked without them.
"""

import binascii
from base64 import b64decode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate, load_der_x509_certificate
from lxml import etree
from signxml.exceptions import InvalidInput as UnusableXml
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from registry.locator.signatures.signed import MAX_CERTIFICATES, BadSignatureError, Reason, Signed

DS = "{http://www.w3.org/2000/09/xmldsig#}"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
MOST_DOCUMENTS = 50


def read_xml(data: bytes) -> Signed:
    """A `ds:Signature` that holds a `ds:Manifest`; raises BadSignatureError unless it agrees with its certificate."""
    root = _parse(data)
    chain = _chain(root)
    if not isinstance(chain[0].public_key(), EllipticCurvePublicKey | RSAPublicKey):
        raise BadSignatureError(Reason.UNSUPPORTED)
    try:
        results = XMLVerifier().verify(
            etree.tostring(root),
            x509_cert=chain[0],
            expect_config=SignatureConfiguration(require_x509=True, expect_references=True),
        )
    except UnusableXml:
        raise BadSignatureError(Reason.UNSUPPORTED) from None
    except (SignXMLException, ValueError, TypeError, UnsupportedAlgorithm, etree.LxmlError):
        raise BadSignatureError(Reason.WRONG) from None
    found = results if isinstance(results, list) else [results]
    signed = [one.signed_xml for one in found if one.signed_xml is not None]
    manifests = [one for xml in signed for one in xml.iter(f"{DS}Manifest")]
    if not manifests:
        raise BadSignatureError(Reason.UNSUPPORTED)
    return Signed(_digests(manifests), chain)


def _parse(data: bytes) -> "etree._Element":
    """The document without entities, DTD or network."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise BadSignatureError(Reason.UNREADABLE) from None
    if root.tag != f"{DS}Signature" or root.getroottree().docinfo.doctype:
        raise BadSignatureError(Reason.UNSUPPORTED)
    return root


def _chain(root: "etree._Element") -> tuple[Certificate, ...]:
    texts = [one.text or "" for one in root.findall(f"{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate")]
    if not 0 < len(texts) <= MAX_CERTIFICATES:
        raise BadSignatureError(Reason.UNSUPPORTED)
    try:
        return tuple(load_der_x509_certificate(b64decode("".join(text.split()), validate=True)) for text in texts)
    except ValueError:
        raise BadSignatureError(Reason.UNREADABLE) from None


def _digests(manifests: "list[etree._Element]") -> dict[str, bytes]:
    references = [one for manifest in manifests for one in manifest.findall(f"{DS}Reference")]
    if not 0 < len(references) <= MOST_DOCUMENTS:
        raise BadSignatureError(Reason.UNREADABLE)
    if any(_algorithm(one) != SHA256 or one.find(f"{DS}Transforms") is not None for one in references):
        raise BadSignatureError(Reason.UNSUPPORTED)
    try:
        return {
            one.get("URI", ""): b64decode("".join((one.findtext(f"{DS}DigestValue") or "").split()), validate=True)
            for one in references
        }
    except (binascii.Error, ValueError):
        raise BadSignatureError(Reason.UNREADABLE) from None


def _algorithm(reference: "etree._Element") -> str | None:
    method = reference.find(f"{DS}DigestMethod")
    return None if method is None else method.get("Algorithm")

"""Whom the registry believes: certification authorities and revocation lists as files in one directory.

In Peru these are the authorities of the Infraestructura Oficial de Firma Electrónica (Ley 27269); which ones are
trusted is the operator's decision, so none ships with the product.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from matching.records import Document, DocumentType
from registry.locator.signatures.signed import BadSignatureError, Reason

_DNI = re.compile(r"(?:PNOPE-|(?:IDCPE-|DNI)[:\- ]?)?(\d{8})")


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """The certificates and revocation lists of a directory: `*.pem` and `*.crl`, both PEM."""

    anchors: tuple[x509.Certificate, ...] = ()
    revocations: tuple[x509.CertificateRevocationList, ...] = ()

    @classmethod
    def load(cls, directory: Path | None) -> "TrustAnchors":
        """Read a directory, again when a file changed; None is nobody to believe. Raises ValueError, OSError."""
        if directory is None:
            return cls()
        files = sorted(path for path in directory.iterdir() if path.suffix in {".pem", ".crl"})
        return _load(tuple((path, path.stat().st_mtime_ns) for path in files))

    def check(self, chain: tuple[x509.Certificate, ...], moment: datetime) -> None:
        """Raise BadSignatureError unless the certificate leads to an anchor, is in force and was not revoked.

        `moment` is when the registry received it: what a signature says of its own time proves nothing.
        """
        leaf = chain[0]
        if not leaf.not_valid_before_utc <= moment <= leaf.not_valid_after_utc:
            raise BadSignatureError(Reason.NOT_IN_FORCE)
        if not self.anchors:
            raise BadSignatureError(Reason.UNTRUSTED)
        verifier = (
            PolicyBuilder()
            .store(Store(list(self.anchors)))
            .time(moment)
            .max_chain_depth(4)
            .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_signing())
            .build_client_verifier()
        )
        try:
            verified = verifier.verify(leaf, list(chain[1:]))
        except VerificationError:
            raise BadSignatureError(Reason.UNTRUSTED) from None
        if any(self._revoked(one, verified.chain) for one in verified.chain):
            raise BadSignatureError(Reason.REVOKED)

    def _revoked(self, certificate: x509.Certificate, chain: list[x509.Certificate]) -> bool:
        """By a list that its own issuer signed."""
        issuers = [one for one in chain if one.subject == certificate.issuer]
        return any(
            listed.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
            for listed in self.revocations
            if listed.issuer == certificate.issuer
            and any(listed.is_signature_valid(one.public_key()) for one in issuers)  # type: ignore[arg-type]
        )


def holder_of(certificate: x509.Certificate) -> Document | None:
    """The DNI in a certificate's subject (ETSI EN 319 412-1 §5.1.3: serialNumber `PNOPE-…`, and forms in use)."""
    found = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    match = _DNI.fullmatch(str(found[0].value).strip()) if len(found) == 1 else None
    return Document(DocumentType.DNI, match[1], "PER") if match else None


@lru_cache(maxsize=4)
def _load(files: tuple[tuple[Path, int], ...]) -> TrustAnchors:
    texts = [(path.suffix, path.read_bytes()) for path, _ in files]
    anchors = [one for kind, text in texts if kind == ".pem" for one in x509.load_pem_x509_certificates(text)]
    return TrustAnchors(tuple(anchors), tuple(x509.load_pem_x509_crl(text) for kind, text in texts if kind == ".crl"))


def _signing() -> ExtensionPolicy:
    """A certificate for signing, whatever else it is for."""
    return ExtensionPolicy.permit_all().require_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)


def _may_sign(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not (usage.digital_signature or usage.content_commitment):
        msg = "the certificate is not for signing"
        raise ValueError(msg)

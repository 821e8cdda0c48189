"""The TLS client certificates by which record systems are known on the HL7 v2 port."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from sqlalchemy import select

from registry.audit.event import Event
from registry.database import new_id, now
from registry.directory.administration import Desk, take_turn
from registry.directory.models import ClientCertificate, RecordSystem
from registry.directory.schemas import CertificateItem
from registry.directory.service import find_certificate, get_record_system
from registry.errors import Conflict, InvalidInput, NotFound


def fingerprint(content: bytes) -> bytes:
    """The SHA-256 fingerprint of a certificate in PEM or DER; raises InvalidInput for anything else."""
    read = x509.load_pem_x509_certificate if b"-----BEGIN" in content else x509.load_der_x509_certificate
    try:
        return read(content).fingerprint(hashes.SHA256())
    except ValueError:
        raise InvalidInput("The file holds no X.509 certificate in PEM or DER.") from None


def register_certificate(desk: Desk, client_id: str, item: CertificateItem) -> None:
    """Know a record system by one more certificate; raises NotFound, Conflict where it is another's."""
    take_turn(desk.session)
    system = get_record_system(desk.session, client_id)
    known = find_certificate(desk.session, bytes.fromhex(item.sha256))
    if known is not None and known.record_system_id != system.id:
        raise Conflict("Another record system is known by this certificate.", code="certificate-of-another")
    _put(desk, system, item, known)


def end_certificate(desk: Desk, sha256: str, reason: str) -> ClientCertificate:
    """Stop knowing a record system by a certificate; raises NotFound."""
    take_turn(desk.session)
    try:
        known = find_certificate(desk.session, bytes.fromhex(sha256))
    except ValueError:
        known = None
    if known is None:
        raise NotFound("No record system is known by such a certificate.", code="unknown-certificate")
    _end(desk, known, reason)
    return known


def put_certificates(desk: Desk, system: RecordSystem, items: Sequence[CertificateItem]) -> bool:
    """Make the items the whole list: absent ones end now. True when anything changed."""
    query = select(ClientCertificate).where(
        ClientCertificate.record_system_id == system.id, ClientCertificate.ended_at.is_(None)
    )
    known = {row.sha256: row for row in desk.session.scalars(query)}
    wanted = {bytes.fromhex(item.sha256): item for item in items}
    absent = [row for sha256, row in known.items() if sha256 not in wanted]
    for row in absent:
        _end(desk, row, "not in the directory file")
    changed = [_put(desk, system, item, known.get(sha256)) for sha256, item in wanted.items()]
    return bool(absent) or any(changed)


def _put(desk: Desk, system: RecordSystem, item: CertificateItem, known: ClientCertificate | None) -> bool:
    names = (item.application, item.facility)
    if known is not None and (known.application, known.facility) == names:
        return False
    if known is not None:
        known.application, known.facility = names
    else:
        row = ClientCertificate(
            id=new_id(),
            record_system_id=system.id,
            sha256=bytes.fromhex(item.sha256),
            application=item.application,
            facility=item.facility,
            registered_at=now(),
        )
        desk.session.add(row)
    desk.audit(_event("directory:certificate:registered", system, item.sha256, "|".join(names)))
    desk.session.flush()
    return True


def _end(desk: Desk, known: ClientCertificate, reason: str) -> None:
    known.ended_at = now()
    desk.audit(_event("directory:certificate:ended", known.record_system, known.sha256.hex(), reason))
    desk.session.flush()


def _event(action: str, system: RecordSystem, sha256: str, reason: str) -> Event:
    return Event(
        action=action,
        client_id=system.client_id,
        establishment_id=system.establishment_id,
        detail={"certificate": sha256, "reason": reason},
    )

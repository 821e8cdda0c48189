"""Conformance reports attached to an accreditation: what the accreditation kit signed, verified and remembered.

The report stays with whoever made it; kept here are its hash, who signed it, and what it says in sum.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import import_key
from pydantic import AwareDatetime, BaseModel, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from registry.database import now
from registry.directory.client_keys import UnusableKeys, check_key_set, fits
from registry.directory.models import ConformanceReport, RecordSystem
from registry.errors import Unprocessable

ALGORITHM, TYPE = "ES256", "conformance-report+jws"
MAX_REPORT, MAX_SIGNATURE = 4 * 1024 * 1024, 4_096
OLDEST = timedelta(days=180)
"""How old a report may be when it is attached."""

Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


@dataclass(frozen=True, slots=True)
class SignedReport:
    """The bytes of a report, the detached JWS over them, and the public keys (a JWK Set) whose signature counts."""

    content: bytes
    signature: str
    signers: Any


class _Subject(BaseModel):
    client_id: Text
    fhir_base: Text
    software: Text = ""


class _Kit(BaseModel):
    version: Text


class _Report(BaseModel):
    """What is taken of a report; its lines are for people."""

    format: Literal["https://www.gob.pe/minsa/RENHICE/conformance/1"]
    kit: _Kit
    subject: _Subject
    scope: Annotated[list[Literal["server", "feed", "events"]], Field(min_length=1, max_length=3)]
    finished_at: AwareDatetime
    verdict: Literal["passed", "failed", "incomplete"]
    counts: dict[Literal["passed", "failed", "warning", "skipped"], Annotated[int, Field(ge=0, le=10_000)]]


def attach_report(session: Session, system: RecordSystem, signed: SignedReport) -> ConformanceReport:
    """Verify a report about a record system and keep its hash, date and result; the same one twice is kept once.

    Raises Unprocessable, and says why, unless it is whole, signed by a key that counts, about this client, recent, and
    passed. That the client itself signed it counts for nothing unless whoever attaches it says so.
    """
    signer = _signer(signed)
    report = _read(signed.content)
    _check(report, system)
    digest = hashlib.sha256(signed.content).hexdigest()
    query = select(ConformanceReport).where(
        ConformanceReport.record_system_id == system.id, ConformanceReport.sha256 == digest
    )
    known = session.scalar(query)
    if known is not None:
        return known
    row = ConformanceReport(
        record_system_id=system.id,
        sha256=digest,
        signer=signer,
        finished_at=report.finished_at,
        verdict=report.verdict,
        summary={
            "fhir_base": report.subject.fhir_base,
            "software": report.subject.software,
            "scope": sorted(report.scope),
            "counts": dict(report.counts),
            "kit": report.kit.version,
        },
    )
    session.add(row)
    session.flush()
    return row


def latest_reports(session: Session) -> dict[UUID, ConformanceReport]:
    """The newest report of each record system that has one."""
    newest = (
        select(ConformanceReport)
        .ext(distinct_on(ConformanceReport.record_system_id))
        .order_by(ConformanceReport.record_system_id, ConformanceReport.finished_at.desc())
    )
    return {row.record_system_id: row for row in session.scalars(newest)}


def _signer(signed: SignedReport) -> str:
    """The thumbprint of the key that signed (RFC 7638); raises Unprocessable where none that counts did."""
    if len(signed.content) > MAX_REPORT or len(signed.signature) > MAX_SIGNATURE:
        raise Unprocessable("The report is too large.", code="report-unusable")
    head, _, signature = signed.signature.strip().partition("..")
    payload = urlsafe_b64encode(signed.content).rstrip(b"=").decode()
    for member in _usable(signed.signers):
        key = import_key(dict(member))
        try:
            found = jws.deserialize_compact(f"{head}.{payload}.{signature}", key, [ALGORITHM])
        except (JoseError, ValueError, TypeError):
            continue
        if found.headers().get("typ") == TYPE:
            return key.thumbprint()
    raise Unprocessable(
        "The report is not signed by a key that counts, or was changed since.",
        code="report-unverified",
        hint="Name the signer's public keys, got from the signer and not with the report: --signed-by FILE.",
    )


def _usable(jwks: Any) -> list[Mapping[str, Any]]:
    if not isinstance(jwks, Mapping):
        raise Unprocessable("The signer's keys are no JWK Set.", code="unusable-keys")
    try:
        check_key_set(dict(jwks), "fapi2")
    except UnusableKeys as error:
        raise Unprocessable(f"The signer's keys can't be used: {error}.", code="unusable-keys") from None
    return [member for member in jwks["keys"] if fits(member, ALGORITHM)]


def _read(content: bytes) -> _Report:
    try:
        return _Report.model_validate(json.loads(content))
    except (ValidationError, ValueError, RecursionError) as error:
        places = (
            [".".join(map(str, one["loc"])) for one in error.errors()] if isinstance(error, ValidationError) else []
        )
        detail = f": {', '.join(places[:5])}" if places else ""
        raise Unprocessable(
            f"The file is no report of the accreditation kit{detail}.", code="report-unusable"
        ) from None


def _check(report: _Report, system: RecordSystem) -> None:
    if report.subject.client_id != system.client_id:
        raise Unprocessable(f"The report is about another system than {system.client_id}.", code="report-of-another")
    moment = now()
    if not moment - OLDEST <= report.finished_at <= moment + timedelta(minutes=5):
        raise Unprocessable(
            f"The report is of {_day(report.finished_at)}: it may be {OLDEST.days} days old at most.",
            code="report-too-old",
        )
    if report.verdict != "passed":
        raise Unprocessable(
            f"The report says {report.verdict}: what it asks for comes first.", code="report-not-passed"
        )


def _day(moment: datetime) -> str:
    return moment.date().isoformat()

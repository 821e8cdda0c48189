"""RENIEC's consultation over PIDE: a broken, slow or wrong answer is "unverified", never an error.

The service confirms names only: it tells neither birth date nor sex. Result codes are read with care, since clients in
the field disagree about 0001: somebody named is found, whatever the code; only a code that says so is "not found".
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
from prometheus_client import Counter
from pydantic import SecretStr, ValidationError

from matching.records import Document, DocumentType
from registry.breaker import Breakers
from registry.database import now
from registry.pide.cache import CheckCache
from registry.pide.port import UNSUPPORTED, IdentityCheck, IdentityRegistry, Names, Status
from registry.pide.schemas import Consultation, Result
from registry.settings import Settings
from registry.telemetry import logger

SOURCE = "RENIEC/PIDE"
PATH = "/Rest/RENIEC/Consultar"
MAX_BYTES = 1024 * 1024
TRUSTED_CODES = frozenset({"0000", "0001"})
NOT_FOUND_WORDS = re.compile(r"no\s+(existe|se\s+encontr|encontrad|registra)", re.IGNORECASE)
LIFETIMES = {Status.VERIFIED: timedelta(hours=24), Status.NOT_FOUND: timedelta(hours=1)}
CHECKS = Counter("renhice_identity_checks_total", "Answers of the identity registry", ["outcome"])
_log = logger(__name__)


class _Unusable(Exception):
    """The answer can't be used; the message is the reason code."""


@dataclass(frozen=True, slots=True)
class Account:
    """A named official (DNI) of an entity (RUC), as PIDE knows its clients."""

    official_dni: str
    entity_ruc: str
    password: SecretStr

    def question(self, number: str) -> dict[str, dict[str, str]]:
        """The body that asks for one DNI."""
        return {
            "PIDE": {
                "nuDniConsulta": number,
                "nuDniUsuario": self.official_dni,
                "nuRucUsuario": self.entity_ruc,
                "password": self.password.get_secret_value(),
            }
        }


@dataclass(slots=True)
class ReniecOverPide:
    """The identity registry of DNI holders; safe to share between threads."""

    http: httpx.Client
    account: Account
    timeout_seconds: float
    breakers: Breakers = field(default_factory=Breakers)
    cache: CheckCache = field(default_factory=CheckCache)
    clock: Callable[[], datetime] = now

    def lookup(self, document: Document) -> IdentityCheck:
        """Ask for a DNI; other documents, and everything that goes wrong, are `unverified` with a reason."""
        number = document.number.strip()
        if document.type is not DocumentType.DNI or not re.fullmatch(r"[0-9]{8}", number):
            return self._unverified(UNSUPPORTED)
        return self.cache.find(number) or self._ask(number)

    def _ask(self, number: str) -> IdentityCheck:
        if not self.breakers.allows(SOURCE):
            return self._unverified("breaker-open")
        try:
            check = self._read(_parse(self._fetch(number)))
        except _Unusable as error:
            self.breakers.report(SOURCE, success=False)
            return self._unverified(str(error))
        self.breakers.report(SOURCE, success=True)
        CHECKS.labels(check.status).inc()
        if check.status in LIFETIMES:
            self.cache.keep(number, check, LIFETIMES[check.status].total_seconds())
        return check

    def _fetch(self, number: str) -> bytes:
        """The body of the answer; raises _Unusable. The deadline is for the whole answer, not for each packet."""
        deadline = time.monotonic() + self.timeout_seconds
        body = bytearray()
        try:
            with self.http.stream("POST", PATH, params={"out": "json"}, json=self.account.question(number)) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise _Unusable(f"http-{answer.status_code}")
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise _Unusable("too-large")
                    if time.monotonic() > deadline:
                        raise _Unusable("timeout")
        except httpx.TimeoutException:
            raise _Unusable("timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise _Unusable("unreachable") from None
        return bytes(body)

    def _read(self, result: Result) -> IdentityCheck:
        if result.code in TRUSTED_CODES and result.person is not None and result.person.names_somebody:
            person = result.person
            names = Names(person.paternal_surname, person.maternal_surname, person.given_names or "")
            return self._check(Status.VERIFIED, names=names, restriction=_restriction(person.restriction))
        if result.code == "0001" and NOT_FOUND_WORDS.search(result.text or ""):
            return self._check(Status.NOT_FOUND)
        if result.code in TRUSTED_CODES:
            return self._unverified("no-person-data")
        raise _Unusable("refused")

    def _check(
        self,
        status: Status,
        *,
        names: Names | None = None,
        restriction: str | None = None,
        reason: str | None = None,
    ) -> IdentityCheck:
        return IdentityCheck(
            status=status, fetched_at=self.clock(), source=SOURCE, names=names, restriction=restriction, reason=reason
        )

    def _unverified(self, reason: str) -> IdentityCheck:
        CHECKS.labels(reason).inc()
        if reason != UNSUPPORTED:
            _log.warning("identity check without an answer", component=SOURCE, code=reason)
        return self._check(Status.UNVERIFIED, reason=reason)


@dataclass(frozen=True, slots=True)
class NoIdentityRegistry:
    """Stands in where no access to PIDE is configured: everything is unverified."""

    def lookup(self, document: Document) -> IdentityCheck:  # noqa: ARG002  # the port's signature
        """Nothing can be confirmed."""
        return IdentityCheck(status=Status.UNVERIFIED, fetched_at=now(), source=SOURCE, reason="not-configured")


def make_identity_registry(settings: Settings) -> IdentityRegistry:
    """The adapter of the configured access to PIDE, or one that confirms nothing; make one a process."""
    account = _account(settings)
    if settings.pide_url is None or account is None:
        return NoIdentityRegistry()
    http = httpx.Client(
        base_url=settings.pide_url,
        timeout=settings.pide_timeout_seconds,
        follow_redirects=False,
        trust_env=False,
        headers={"Accept": "application/json"},
    )
    return ReniecOverPide(http, account, settings.pide_timeout_seconds)


def _account(settings: Settings) -> Account | None:
    dni, ruc, password = settings.pide_official_dni, settings.pide_entity_ruc, settings.pide_password
    if dni is None or ruc is None or password is None:
        return None
    return Account(dni.get_secret_value(), ruc, password)


def _parse(body: bytes) -> Result:
    try:
        return Consultation.model_validate_json(body).response.result
    except ValidationError:
        raise _Unusable("not-understood") from None


def _restriction(value: str | None) -> str | None:
    """RENIEC writes NINGUNA where there is none."""
    return None if value is None or value.upper() == "NINGUNA" else value

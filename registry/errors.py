"""One tree of domain errors, and the four faces a surface shows them with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from registry.audit.event import Event


class DomainError(Exception):
    """Something the caller can understand and act on.

    `code` is stable and machine-readable, `message` is public, `hint` says what to do next, `debug` is for the log
    alone, `audit` is recorded in a transaction of its own when the error refuses something, `challenges` say how to
    authenticate (one WWW-Authenticate header each).
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    fhir_code: ClassVar[str] = "processing"
    details: Sequence[Mapping[str, str]] = ()
    """The parts of the input at fault: `expression` is the element's path, `message` what is wrong; never a value."""

    allow: ClassVar[str | None] = None
    """The methods that may be used instead, where this one may not (RFC 9110 §15.5.6)."""

    retry_after: int | None = None
    """Seconds after which the same call may succeed."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        debug: str | None = None,
        audit: Event | None = None,
        challenges: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or self.code
        self.hint = hint
        self.debug = debug
        self.audit = audit
        self.challenges = challenges


class InvalidInput(DomainError):
    """What was sent can't be understood; the message says which part."""

    code = "invalid-input"
    fhir_code = "invalid"


class Unprocessable(DomainError):
    """What was sent is well formed and breaks a rule."""

    code = "unprocessable"
    status = 422
    fhir_code = "business-rule"


class Unauthenticated(DomainError):
    """Nobody, or nobody we can verify, is calling."""

    code = "unauthenticated"
    status = 401
    fhir_code = "login"


class Forbidden(DomainError):
    """The caller is known and may not."""

    code = "forbidden"
    status = 403
    fhir_code = "forbidden"


class NotFound(DomainError):
    """No such thing, or not yours: the two look the same."""

    code = "not-found"
    status = 404
    fhir_code = "not-found"


class Conflict(DomainError):
    """The state has moved on."""

    code = "conflict"
    status = 409
    fhir_code = "conflict"


class TooLarge(DomainError):
    """More than the surface accepts in one request."""

    code = "too-large"
    status = 413
    fhir_code = "too-long"


class TooManyRequests(DomainError):
    """More often than the surface accepts; what was asked before stands."""

    code = "too-many-requests"
    status = 429
    fhir_code = "throttled"


class Unavailable(DomainError):
    """A part we depend on is down; try again later."""

    code = "unavailable"
    status = 503
    fhir_code = "transient"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a face needs to show an error; carries nothing private."""

    status: int
    code: str
    title: str
    hint: str | None
    correlation_id: str
    fhir_code: str = "processing"
    details: Any = None
    challenges: Sequence[str] = ()
    allow: str | None = None
    retry_after: int | None = None


Face = Callable[[Problem], Any]

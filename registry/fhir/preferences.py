"""What the caller prefers (RFC 7240, FHIR R4 http §3.1.0.1.1): how much to answer, and how strictly to be read."""

from flask import request

RETURNS = frozenset({"minimal", "representation", "OperationOutcome"})


def preferred_return() -> str:
    """What an update is answered with: `minimal`, `OperationOutcome`, or `representation` where nothing is said."""
    wanted = _preferences().get("return", "representation")
    return wanted if wanted in RETURNS else "representation"


def strict() -> bool:
    """Whether an unknown search parameter is an error to the caller (`handling=strict`), rather than ignored."""
    return _preferences().get("handling") == "strict"


def asynchronous() -> bool:
    """Whether the caller wants the answer later (`respond-async`, FHIR R4 async §3.1.6)."""
    return "respond-async" in _preferences()


def lenient() -> bool:
    """Whether what is not known shall be left out (`handling=lenient`), where it would be an error."""
    return _preferences().get("handling") == "lenient"


def _preferences() -> dict[str, str]:
    headers = ",".join(request.headers.getlist("Prefer")).replace(";", ",")
    pairs = (one.partition("=") for one in headers.split(","))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}

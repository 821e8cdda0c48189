"""The rooms of the registry that answer over HTTP, each with the policy that guards it."""

from registry.access import Authenticator, bearer, public
from registry.api import documentation
from registry.app import Room
from registry.fhir.capability import blueprint as capability
from registry.fhir.routes import blueprint as fhir
from registry.health import blueprint as health

AUDIENCE = "/fhir"


def rooms(authenticate: Authenticator) -> list[Room]:
    """Health and documentation for everyone, FHIR for record systems with a token for it."""
    return [
        Room(blueprint=health, policy=public, surface="problem"),
        Room(blueprint=documentation, policy=public, surface="problem"),
        Room(blueprint=capability, policy=public, surface="fhir"),
        Room(blueprint=fhir, policy=bearer(authenticate, AUDIENCE), surface="fhir"),
    ]

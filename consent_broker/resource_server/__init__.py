"""The guard an establishment puts in front of its own FHIR server; stands alone (standard library, joserfc, httpx)."""

from consent_broker.resource_server.answers import Grant, Refusal
from consent_broker.resource_server.guard import Guard
from consent_broker.resource_server.wsgi import GuardMiddleware

__all__ = ["Grant", "Guard", "GuardMiddleware", "Refusal"]

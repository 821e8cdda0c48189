"""A call beyond a token's scopes is refused, and the refusal is in the log."""

from sqlalchemy import select

from registry.audit.models import AuditEvent
from tests.functional.oauth.world import World


def test_a_read_only_token_that_writes_leaves_a_trace(world: World) -> None:
    token = world.asking.client_token("system/Patient.rs")
    answer = world.asking.call("PUT", "/fhir/Patient?identifier=a|b", token, json={"resourceType": "Patient"})
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"] == 'DPoP error="insufficient_scope", scope="system/Patient.cu"'
    newest = select(AuditEvent).where(AuditEvent.action == "oauth:scope:required")
    event = world.transact(lambda session: session.scalars(newest).one())
    assert (event.outcome, event.detail) == ("refused", {"scope": "system/Patient.cu"})

"""A call beyond a token's scopes is refused, and the refusal is in the log."""

from sqlalchemy import select

from registry.audit.models import AuditEvent
from tests.functional.oauth.world import World, bearer


def test_a_read_only_token_that_writes_leaves_a_trace(world: World) -> None:
    token = world.asking.client_token("system/Patient.rs")
    answer = world.asking.http.put(
        "/fhir/Patient?identifier=a|b", json={"resourceType": "Patient"}, headers=bearer(token)
    )
    assert answer.status_code == 403
    newest = select(AuditEvent).where(AuditEvent.action == "oauth:scope:required")
    event = world.transact(lambda session: session.scalars(newest).one())
    assert (event.outcome, event.detail) == ("refused", {"scope": "system/Patient.cu"})

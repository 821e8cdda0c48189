"""What can be done for a record before anybody is waited for: facts normalised, tokens blinded, content sealed."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from matching.blocking import blocking_keys
from matching.cluster import Member
from matching.normalise import Normalised, normalise
from registry.database import new_id
from registry.identity.arrivals import Registration
from registry.identity.contents import local_domain, seal_context, to_bytes
from registry.identity.engine import Engine, blind_keys
from registry.sealing import SealedAnew


@dataclass(frozen=True, slots=True)
class Prepared:
    """A registration with all that becomes of it if nobody knows its local number yet."""

    registration: Registration
    record_id: UUID
    local_token: bytes
    said: str
    normalised: Normalised
    tokens: tuple[bytes, ...]
    sealed: SealedAnew

    def member(self) -> Member:
        """The record as the engine judges it."""
        return Member(self.normalised, establishment=str(self.registration.establishment_id))


def prepare(engine: Engine, registrations: Iterable[Registration]) -> list[Prepared]:
    """Prepare registrations, in their order; no database is asked, so that another process may do it."""
    return [_prepare(engine, one) for one in registrations]


def _prepare(engine: Engine, registration: Registration) -> Prepared:
    content, record_id, sealer = registration.content, new_id(), engine.sealer
    normalised, plaintext = normalise(content.demographics), to_bytes(content)
    return Prepared(
        registration=registration,
        record_id=record_id,
        local_token=sealer.blind(local_domain(registration.establishment_id), content.local_number),
        said=f"{registration.active}:{plaintext.decode()}",
        normalised=normalised,
        tokens=tuple(blind_keys(sealer, blocking_keys(normalised))),
        sealed=sealer.seal_anew(record_id, plaintext, seal_context(1)),
    )

"""The bench a candidate is put on: whom to ask, as whom, about which patients, and within which limits."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conformance.gateway import Answer, Gateway, about
from conformance.lines import Part, Untested
from conformance.registry.state import State
from conformance.tokens import READ_ALL, TYPES, Forge

MOST_PATIENTS = 20
Resource = dict[str, Any]
Act = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the operator decided. `patients` are source record ids, empty when the feed yields them."""

    base: str
    events: str | None = None
    ca: str | None = None
    patients: tuple[str, ...] = ()
    samples: int = 40
    p95_ms: int = 2000
    wait: float = 120.0
    quiet: float = 3.0
    """Seconds without a call of the feed after which an act is over."""

    @property
    def parts(self) -> frozenset[Part]:
        """What is tested."""
        optional = {Part.EVENTS: bool(self.events), Part.FEED: not self.patients}
        return frozenset({Part.SERVER, *(part for part, wanted in optional.items() if wanted)})


@dataclass
class Bench:
    """What every check is given; `act` asks the candidate's people, or its own program, to do something."""

    plan: Plan
    state: State
    gateway: Gateway
    act: Act
    latencies: dict[str, int] = field(default_factory=dict)
    software: str = ""
    traces: list[Resource] | None = None
    """The AuditEvents one access left, once they were looked for."""
    _good: dict[str, dict[str, Answer]] = field(default_factory=dict)

    @property
    def forge(self) -> Forge:
        """Makes tokens."""
        return Forge(self.state, self.gateway.key)

    @property
    def patients(self) -> tuple[str, ...]:
        """The source record ids of the test patients."""
        return self.plan.patients or tuple(one.id for one in self.state.known()[:MOST_PATIENTS])

    def search(self, kind: str, patient: str, token: str | None = None) -> Answer:
        """The gateway's own search, with a good token unless one is given."""
        return self.gateway.get(f"/{kind}", about(patient), token or self.forge.good(patient))

    def answers(self, patient: str) -> dict[str, Answer]:
        """The answers about one patient by type; asked once."""
        if patient not in self._good:
            self._good[patient] = {kind: self.search(kind, patient) for kind in TYPES}
        return self._good[patient]

    def records(self, patient: str) -> list[Resource]:
        """Everything the candidate holds of a patient."""
        return [one for answer in self.answers(patient).values() if answer.status == 200 for one in answer.resources]

    def two_patients(self) -> tuple[str, str]:
        """Two test patients of whom something is held; raises Untested."""
        holding = [one for one in self.patients if self.records(one)]
        if len(holding) < 2:
            raise Untested("Hacen falta dos pacientes de prueba con datos que la búsqueda devuelva.")
        return holding[0], holding[1]

    def patient(self) -> str:
        """A test patient of whom something is held; raises Untested."""
        holding = next((one for one in self.patients if self.records(one)), None)
        if holding is None:
            raise Untested("Ningún paciente de prueba se pudo leer con un token bueno: negar a otros no prueba nada.")
        return holding

    def kind(self, patient: str) -> str:
        """A type of which something is held about the patient."""
        return str(self.records(patient)[0]["resourceType"])

    def token(self, patient: str, scope: str = READ_ALL) -> str:
        """A good token."""
        return self.forge.good(patient, scope)

    def quiet_since(self, moment: float) -> bool:
        """Whether the feed has been quiet for a while since that moment."""
        return time.monotonic() - moment > self.plan.quiet

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait for something; whether it came."""
        ends = time.monotonic() + seconds
        while not done():
            if time.monotonic() > ends:
                return False
            time.sleep(0.1)
        return True

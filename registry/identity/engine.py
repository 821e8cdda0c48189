"""What identity works with: the sealer of this process and the matching model in force."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from matching.model import Model
from matching.normalise import Normalised
from registry.app import Renhice
from registry.sealing import Sealer

BLOCKING_DOMAIN = "blocking"


@dataclass(frozen=True, slots=True)
class Engine:
    """The sealer and the model; cheap to pass around."""

    sealer: Sealer
    model: Model

    def blind_keys(self, keys: frozenset[str]) -> list[bytes]:
        """Blocking keys as blind tokens, in a fixed order."""
        return sorted(self.sealer.blind(BLOCKING_DOMAIN, key) for key in keys)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record ready to be searched for: normalised, with the blind tokens of its blocking keys."""

    normalised: Normalised
    tokens: list[bytes]


def engine_of(parts: Renhice) -> Engine:
    """The engine of a process; raises ModelError when the configured model file is unusable."""
    return Engine(parts.sealer, _model(parts.settings.match_model))


@lru_cache(maxsize=4)
def _model(path: Path | None) -> Model:
    return Model.load(path)

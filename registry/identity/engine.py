"""What identity works with: the sealer of this process and the matching model in force."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from matching.model import Model
from registry.app import Renhice
from registry.sealing import Sealer

BLOCKING_DOMAIN = "blocking"


@dataclass(frozen=True, slots=True)
class Engine:
    """The sealer and the model; cheap to pass around."""

    sealer: Sealer
    model: Model


def engine_of(parts: Renhice) -> Engine:
    """The engine of a process; raises ModelError when the configured model file is unusable."""
    return Engine(parts.sealer, _model(parts.settings.match_model))


def blind_keys(sealer: Sealer, keys: frozenset[str]) -> list[bytes]:
    """Blocking keys as blind tokens, in a fixed order."""
    return sorted(sealer.blind(BLOCKING_DOMAIN, key) for key in keys)


@lru_cache(maxsize=4)
def _model(path: Path | None) -> Model:
    return Model.load(path)

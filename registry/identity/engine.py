"""What identity works with: the sealer of this process and the matching model in force."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from matching.blocking import ENOUGH
from matching.blocking import worth as worth_of_key
from matching.model import Model
from registry.app import Renhice
from registry.sealing import Sealer

BLOCKING_DOMAIN = "blocking"


@dataclass(frozen=True, slots=True)
class Engine:
    """The sealer and the model; cheap to pass around. Above `four_eyes_above` records a second steward decides too."""

    sealer: Sealer
    model: Model
    four_eyes_above: int = 6
    unmerge_by_feed: bool = False
    """Whether an establishment may take back that a record of its own was a duplicate."""


def engine_of(parts: Renhice) -> Engine:
    """The engine of a process; raises ModelError when the configured model file is unusable."""
    return Engine(
        parts.sealer, _model(parts.settings.match_model), parts.settings.four_eyes_above, parts.settings.unmerge_by_feed
    )


def blind_keys(sealer: Sealer, keys: frozenset[str]) -> list[bytes]:
    """Blocking keys as blind tokens, in a fixed order; the last bit says that a key is enough to compare records."""
    blind = sealer.blinder(BLOCKING_DOMAIN)
    return sorted([_marked(blind(key), key) for key in keys])


def worth(token: bytes) -> int:
    """What sharing a token counts, as `matching.blocking.worth` of its key."""
    return ENOUGH if token[-1] & 1 else 1


def _marked(blind: bytes, key: str) -> bytes:
    return blind if (blind[-1] & 1) == (worth_of_key(key) == ENOUGH) else blind[:-1] + _OTHER_LAST_BIT[blind[-1]]


_OTHER_LAST_BIT = [bytes((number ^ 1,)) for number in range(256)]


@lru_cache(maxsize=4)
def _model(path: Path | None) -> Model:
    return Model.load(path)

"""What identity works with: the sealer of this process and the matching model in force."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from struct import Struct

from matching.blocking import ENOUGH, document_keys
from matching.blocking import worth as worth_of_key
from matching.model import Model
from matching.normalise import Normalised
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


def blind_keys(sealer: Sealer, keys: frozenset[str]) -> list[int]:
    """Blocking keys as blind tokens, in a fixed order; the last bit says that a key is enough to compare records.

    Half of a blind token is kept: two keys that become one bring a record that is compared in vain, and the index takes
    half the time.
    """
    blind = sealer.blinder(BLOCKING_DOMAIN)
    return sorted({number_of(blind(key)) & ~1 | (worth_of_key(key) == ENOUGH) for key in keys})


def document_tokens(sealer: Sealer, record: Normalised) -> list[int]:
    """Those of its tokens that are a document's number."""
    return blind_keys(sealer, document_keys(record))


def number_of(blind: bytes) -> int:
    """The first half of a blind token, as PostgreSQL's bigint."""
    number: int = _first_half(blind)[0]
    return number


def worth(token: int) -> int:
    """What sharing a token counts, as `matching.blocking.worth` of its key."""
    return ENOUGH if token & 1 else 1


_first_half = Struct(">q").unpack_from


@lru_cache(maxsize=4)
def _model(path: Path | None) -> Model:
    return Model.load(path)

"""What should be refused is refused by node-oidc-provider too, in its FAPI 2.0 mode, and with the same error.

Where the two differ, differences.json says what each answers and why ours is right to; it may neither lack a difference
nor keep one that is gone. The peer is of another language, author and library.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.negatives import NEGATIVES, outcome
from tests.clients.two_servers import Side, ours, peer
from tests.conftest import settings
from tests.functional.oauth.conftest import world
from tests.functional.oauth.world import World

__all__ = ["settings", "world"]
DIFFERENCES = json.loads((Path(__file__).parent / "differences.json").read_text())


@pytest.fixture(scope="module")
def sides(node: str, world: World) -> Iterator[tuple[Side, Side]]:
    """Both servers, each of which gives a token to who asks as it should."""
    with peer(node, world) as theirs:
        both = ours(world), theirs
        for side in both:
            side.party.refresh("unknown")  # the nonce: the peer asks for it when the assertion is used up
            side.other.refresh("unknown")
            assert side.party.redeem(*side.code()).status_code == 200
        yield both


@pytest.mark.parametrize("name", NEGATIVES)
def test_both_refuse_it_alike_or_the_difference_is_explained(sides: tuple[Side, Side], name: str) -> None:
    found = dict(zip(("ours", "peer"), (outcome(NEGATIVES[name](side)) for side in sides), strict=True))
    explained = DIFFERENCES.get(name)
    if explained is None:
        assert found["ours"] == found["peer"]
    else:
        assert found["ours"] != found["peer"], "no longer a difference"
        assert found == {side: explained[side] for side in found}


def test_each_explained_difference_is_of_a_request_made_here() -> None:
    assert DIFFERENCES.keys() <= NEGATIVES.keys()
    assert all(one["why"] for one in DIFFERENCES.values())

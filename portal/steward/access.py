"""The steward at this request: only staff with the role, by two factors, and proved anew before anything is decided."""

from portal.guard import require, require_fresh, signed_in
from portal.hats import STAFF_ACR, STEWARD
from registry.identity.stewardship import Steward


def policy() -> None:
    """Only staff with the role of steward, by two factors."""
    require(STEWARD)


def me() -> Steward:
    """The human whose session this is, as identity knows a steward."""
    return Steward(handle=signed_in().handle)


def prove_again(came_from: str) -> None:
    """Before a decision: the steward proves who they are unless they just did, and comes back to that page."""
    require_fresh(STAFF_ACR, came_from=came_from)

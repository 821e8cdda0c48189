"""The two client profiles, never blended: FAPI 2.0 for establishments, SMART App Launch 2.2 for apps.

They contradict each other in the audience of an assertion, its algorithms, what a token is bound to, refresh rotation
and CORS (decision 11), so each client has one of them, and what differs is here and nowhere else.
"""

from dataclasses import dataclass

from registry.directory.client_keys import ALGORITHMS

TOKEN_PATH = "/oauth/token"  # noqa: S105  # an address, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a client's profile asks of it and gives it."""

    name: str
    algorithms: tuple[str, ...]
    """Signatures of its client assertions."""

    audience_path: str
    """What the one audience of its assertions adds to the issuer."""

    needs_iat: bool
    """Whether its assertions must say when they were made; SMART's need not, `exp` within 300 s bounds them."""

    bound: bool
    """Whether its tokens are bound to its key by DPoP (RFC 9449); else they are bearer tokens."""

    rotates: bool
    """Whether each use of a refresh token yields the next one; FAPI 2.0 §5.3.2.1 forbids it for bound ones."""

    pushed: bool
    """Whether its authorization requests are pushed (RFC 9126), and only so."""

    detailed: bool
    """Whether it may ask by authorization details (RFC 9396)."""

    cross_origin: bool
    """Whether its browser code may call us from the origins of its redirect URIs (CORS)."""

    def audience(self, issuer: str) -> str:
        """The audience of a client assertion: exactly this, as one string."""
        return f"{issuer}{self.audience_path}"


FAPI2 = Profile(
    name="fapi2",
    algorithms=ALGORITHMS["fapi2"],
    audience_path="",
    needs_iat=True,
    bound=True,
    rotates=False,
    pushed=True,
    detailed=True,
    cross_origin=False,
)
"""FAPI 2.0 Security Profile Final §5.3: the assertion is for the issuer."""

SMART = Profile(
    name="smart",
    algorithms=ALGORITHMS["smart"],
    audience_path=TOKEN_PATH,
    needs_iat=False,
    bound=False,
    rotates=True,
    pushed=False,
    detailed=False,
    cross_origin=True,
)
"""SMART App Launch 2.2: the assertion is for the token URL (Client Authentication: Asymmetric §5.1.2)."""

PROFILES = {profile.name: profile for profile in (FAPI2, SMART)}

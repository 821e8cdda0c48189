"""The road to public bodies' records: over the State's platform (PIDE), where their service is registered with it.

Private bodies can't be clients of PIDE, so they are asked directly; so is a public one that has no service there yet.
"""

REST = "/Rest"


def over_pide(pide_url: str | None, service: str | None, base: str, url: str) -> str:
    """Where to ask for `url`, an address below the FHIR base of an establishment: at its service on PIDE, or there.

    `service` is `ENTITY/Service`, as PIDE names it. Tokens and proofs are about `url` either way.
    """
    if pide_url is None or service is None or not url.startswith(base):
        return url
    return f"{pide_url.rstrip('/')}{REST}/{service}{url.removeprefix(base)}"

"""Keys and secrets of the sandbox: made by chance at the first `prepare`, the same ever after."""

import secrets
from typing import Any

from joserfc.jwk import ECKey

from sandbox.files import find_json, write_json
from sandbox.layout import Layout
from sandbox.places import ESTABLISHMENTS

Jwk = dict[str, Any]


def load_keys(layout: Layout) -> dict[str, Any]:
    """Return every secret: client keys by client id, ID Perú's, the control token; missing ones are made."""
    kept: dict[str, Any] = find_json(layout.keys) or {}
    clients = {place.client_id: _made(kept.get("clients", {}).get(place.client_id)) for place in ESTABLISHMENTS}
    keys = {
        "clients": clients,
        "idperu": _made(kept.get("idperu")),
        "staff": _made(kept.get("staff")),
        "staff_secret": kept.get("staff_secret") or secrets.token_urlsafe(32),
        "portal_secret": kept.get("portal_secret") or secrets.token_urlsafe(32),
        "sms_token": kept.get("sms_token") or secrets.token_urlsafe(32),
        "control_token": kept.get("control_token") or secrets.token_urlsafe(32),
    }
    if keys != kept:
        write_json(layout.keys, keys)
    if not layout.pide_password.exists():
        write_json(layout.pide_password, {"password": secrets.token_urlsafe(12)})
    return keys


def public(jwk: Jwk) -> Jwk:
    """Return the public half of a key."""
    return {name: value for name, value in jwk.items() if name != "d"}


def _made(jwk: Jwk | None) -> Jwk:
    if jwk:
        return jwk
    key = ECKey.generate_key("P-256", private=True)
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"}

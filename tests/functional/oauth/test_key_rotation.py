"""A new signing key takes over while tokens of the old one live: both are published, both are believed, one signs."""

from uuid import uuid4

from joserfc import jws, jwt
from joserfc.jwk import KeySet

from consent_broker.oauth.rfc7517_keys import OVERLAP, rotate_signing_key
from tests.functional.oauth.test_token_life import holder_token
from tests.functional.oauth.world import World


def kid_of(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


def test_tokens_of_both_keys_are_good_while_they_overlap(world: World) -> None:
    old_token, held = world.asking.client_token("access-request"), holder_token(world)
    rotate_signing_key(world.renhice.settings.keys_dir, lead=0)
    new_token = world.asking.client_token("access-request")
    old, new = kid_of(old_token), kid_of(new_token)
    assert old != new
    published = world.asking.http.get("/oauth/jwks").json
    assert [key["kid"] for key in published["keys"]] == [old, new]
    keys = KeySet.import_key_set(published)
    for token in (old_token, held, new_token):
        assert jwt.decode(token, keys, algorithms=["ES256"]).claims["iss"] == world.broker.issuer
    for token in (old_token, new_token):
        assert world.asking.get(f"/api/v1/access-requests/{uuid4()}", token).status_code == 404
    assert world.holding.introspect(held)["active"]


def test_a_token_that_was_believed_ends_with_the_key_that_signed_it(world: World) -> None:
    held = holder_token(world)
    assert world.holding.introspect(held)["active"]
    rotate_signing_key(world.renhice.settings.keys_dir, lead=-OVERLAP - 1)
    assert world.holding.introspect(held) == {"active": False}


def test_a_key_that_is_published_ahead_does_not_sign_yet(world: World) -> None:
    signing = kid_of(world.asking.client_token("access-request"))
    rotate_signing_key(world.renhice.settings.keys_dir)
    published = [key["kid"] for key in world.asking.http.get("/oauth/jwks").json["keys"]]
    assert published[-1] != signing
    assert kid_of(world.asking.client_token("access-request")) == signing

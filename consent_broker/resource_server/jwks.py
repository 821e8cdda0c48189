"""The issuer's public keys, cached: refreshed when old or when a new key appears, never more often than allowed."""

import threading
import time
from collections.abc import Callable

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

MAX_BYTES = 65_536


class KeysUnavailable(Exception):
    """The issuer's keys can't be fetched and none are held."""


class IssuerKeys:
    """ES256 keys of one fixed JWKS address. A stream of unknown `kid`s costs at most one fetch per `min_refresh`."""

    def __init__(
        self,
        http: httpx.Client,
        url: str,
        *,
        max_age: float = 300,
        min_refresh: float = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._url, self._clock = http, url, clock
        self._max_age, self._min_refresh = max_age, min_refresh
        self._keys: dict[str, ECKey] = {}
        self._fetched_at: float | None = None
        self._lock = threading.Lock()

    def find(self, kid: str) -> ECKey | None:
        """The key of that id, or None when the issuer does not publish it; raises KeysUnavailable."""
        with self._lock:
            age = None if self._fetched_at is None else self._clock() - self._fetched_at
            if age is None or age > self._max_age or (kid not in self._keys and age > self._min_refresh):
                self._refresh()
            return self._keys.get(kid)

    def _refresh(self) -> None:
        try:
            keys = self._fetch()
        except (httpx.HTTPError, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            if not self._keys:
                raise KeysUnavailable from error
        else:
            self._keys = keys
        self._fetched_at = self._clock()

    def _fetch(self) -> dict[str, ECKey]:
        response = self._http.get(self._url, headers={"Accept": "application/json"})
        response.raise_for_status()
        if len(response.content) > MAX_BYTES:
            msg = "JWKS too large"
            raise ValueError(msg)
        found = KeySet.import_key_set(response.json())
        usable = (key for key in found.keys if isinstance(key, ECKey) and key.curve_name == "P-256" and key.kid)
        return {str(key.kid): key for key in usable}

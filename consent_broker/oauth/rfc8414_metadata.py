"""What the server says of itself (RFC 8414, SMART App Launch 2.2 §9); only what works is advertised."""

from collections.abc import Sequence
from typing import Any

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from consent_broker.broker import Broker
from consent_broker.oauth.clients import AUTH_METHOD, GRANT_TYPES
from consent_broker.oauth.profiles import FAPI2, SMART
from consent_broker.oauth.rfc7636_pkce import METHOD
from consent_broker.oauth.rfc9126_par import PATH as PAR_PATH
from consent_broker.oauth.rfc9396_rar import TYPE as DETAILS_TYPE
from consent_broker.oauth.scopes import SUPPORTED
from consent_broker.resource_server.proofs import ALGORITHMS as DPOP_ALGORITHMS

CAPABILITIES = [
    "launch-ehr",
    "launch-standalone",
    "client-confidential-asymmetric",
    "context-ehr-patient",
    "context-standalone-patient",
    "permission-offline",
    "permission-patient",
    "permission-v1",
    "permission-v2",
]


def metadata(broker: Broker) -> dict[str, Any]:
    """The RFC 8414 document: what clients of either profile may use."""
    document = (
        _document(broker)
        | _endpoint_auth([*FAPI2.algorithms, *SMART.algorithms])
        | {
            "pushed_authorization_request_endpoint": f"{broker.issuer}{PAR_PATH}",
            "dpop_signing_alg_values_supported": list(DPOP_ALGORITHMS),
            "authorization_details_types_supported": [DETAILS_TYPE],
        }
    )
    if broker.settings.secure:
        AuthorizationServerMetadata(document).validate()
    return document


def smart_configuration(broker: Broker) -> dict[str, Any]:
    """The SMART document of the FHIR base: what apps may use.

    `management_endpoint` is where a patient sees and ends what they granted.
    """
    return (
        _document(broker)
        | _endpoint_auth(SMART.algorithms)
        | {"management_endpoint": f"{broker.issuer}/mi-historia/permisos", "capabilities": CAPABILITIES}
    )


def _endpoint_auth(algorithms: Sequence[str]) -> dict[str, list[str]]:
    return {
        f"{endpoint}_endpoint_auth_{what}": list(value)
        for endpoint in ("token", "introspection", "revocation")
        for what, value in (("methods_supported", [AUTH_METHOD]), ("signing_alg_values_supported", algorithms))
    }


def _document(broker: Broker) -> dict[str, Any]:
    base = f"{broker.issuer}/oauth"
    return {
        "issuer": broker.issuer,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "device_authorization_endpoint": f"{base}/device_authorization",
        "introspection_endpoint": f"{base}/introspect",
        "revocation_endpoint": f"{base}/revoke",
        "jwks_uri": f"{base}/jwks",
        "scopes_supported": sorted(SUPPORTED),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": sorted(GRANT_TYPES),
        "code_challenge_methods_supported": [METHOD],
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "ui_locales_supported": ["es-PE"],
    }

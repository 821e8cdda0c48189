"""Every module of the suite has its test."""

import re
from pathlib import Path

MODULES = """
discovery-end-point-verification happy-path user-rejects-authentication access-token-type-header-case-sensitivity
attempt-reuse-authorization-code-after-one-second ensure-token-endpoint-fails-with-expired-auth-code
check-dpop-proof-nbf-exp dpop-negative-tests ensure-authorization-code-is-bound-to-client
ensure-authorization-request-with-long-state ensure-authorization-request-without-state-success
ensure-client-id-in-token-endpoint ensure-different-state-inside-and-outside-request-object
ensure-dpop-auth-code-binding-success ensure-dpopproof-at-par-endpoint-binding-success
ensure-dpopproof-with-iat-10seconds-after-succeeds ensure-dpopproof-with-iat-10seconds-before-succeeds
ensure-holder-of-key-required ensure-mismatched-dpop-jkt-fails ensure-redirect-uri-in-authorization-request
ensure-request-object-without-redirect-uri-fails ensure-response-type-code-idtoken-fails
ensure-response-type-token-fails ensure-token-endpoint-fails-with-mismatched-dpop-jkt
ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt
ensure-unsigned-authorization-request-without-using-par-fails par-attempt-reuse-request_uri
par-attempt-to-use-expired-request_uri ensure-pkce-code-verifier-required par-ensure-pkce-required
par-plain-pkce-rejected par-attempt-to-use-request_uri-for-different-client
par-ensure-reused-request-uri-prior-to-auth-completion-succeeds incorrect-pkce-code-verifier-rejected
par-attempt-invalid-http-method par-authorization-request-containing-request_uri-form-param
par-without-duplicate-parameters refresh-token state-only-outside-request-object-not-used
plain-fapi-tolerate-unregistered-redirect-uri
""".split()  # noqa: SIM905  # a list to compare with the suite's


def test_each_module_has_a_test_of_its_name() -> None:
    tests = {
        name
        for file in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    missing = [module for module in MODULES if f"test_fapi2_{module.replace('-', '_')}" not in tests]
    assert not missing

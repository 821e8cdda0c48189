"""All sections in the order they are tried: what later ones rest on comes first."""

from conformance.checks.audit import AUDIT
from conformance.checks.client import CLIENT
from conformance.checks.errors import ERRORS
from conformance.checks.events import EVENTS
from conformance.checks.feed import FEED
from conformance.checks.latency import LATENCY
from conformance.checks.patients import PATIENTS
from conformance.checks.proofs import PROOFS
from conformance.checks.restrictions import RESTRICTIONS
from conformance.checks.search import CAPABILITY, SEARCH
from conformance.checks.tokens import TOKENS
from conformance.checks.transport import TRANSPORT
from conformance.sections import Section

SECTIONS: tuple[Section, ...] = (
    TRANSPORT, FEED, CAPABILITY, TOKENS, PROOFS, SEARCH, PATIENTS, RESTRICTIONS, ERRORS, AUDIT, EVENTS, LATENCY, CLIENT,
)  # fmt: skip

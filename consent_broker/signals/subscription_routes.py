"""`/fhir/Subscription`: a record system asks to be told (R5 Backport for R4; IHE PMIR ITI-94 in its style)."""

from uuid import UUID

from flask import Response, request

from consent_broker.broker import current_broker
from consent_broker.signals import subscriptions
from consent_broker.signals.fhir_subscription import (
    BACKPORT,
    Notice,
    Standing,
    as_fhir,
    describe,
    notification,
    read_subscription,
    status_of,
)
from consent_broker.signals.models import Subscription
from consent_broker.signals.service import OFF, REQUESTED, SUBSCRIBE
from consent_broker.signals.topics import TOPICS, canonical
from registry.access import caller, require_scope
from registry.api import whole_number
from registry.app import parts
from registry.database import new_id, now, session
from registry.errors import InvalidInput, NotFound, Unprocessable
from registry.fhir.answers import answer, answer_read, answer_stored
from registry.fhir.formats import read_resource
from registry.fhir.history import History, Version, history_bundle
from registry.fhir.parameters import read_inputs
from registry.fhir.preconditions import Preconditions
from registry.fhir.resources import Operation, Resource, SearchParameter, fhir_blueprint
from registry.fhir.searching import read_search, searchset, searchset_of
from registry.fhir.validation import validate
from registry.fhir.wire import Json
from registry.identity.service import VersionMismatch

OPERATIONS = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition"

SUBSCRIPTION = Resource(
    type="Subscription",
    profiles=(f"{BACKPORT}/backport-subscription",),
    interactions=("create", "read", "vread", "history-instance", "update", "delete", "search-type"),
    search=(SearchParameter(name="status", type="token"),),
    operations=(
        Operation(name="status", definition=f"{OPERATIONS}/backport-subscription-status"),
        Operation(name="events", definition=f"{OPERATIONS}/backport-subscription-events"),
    ),
    means="Told of by rest-hook, ids only; criteria is the canonical URL of a topic: "
    + ", ".join(canonical(topic) for topic in TOPICS),
)
blueprint = fhir_blueprint(SUBSCRIPTION)


@blueprint.before_request
def require_right() -> None:
    """Refuse callers without the scope before anything is done."""
    require_scope(caller(), SUBSCRIBE)


@blueprint.post("")
def create() -> Response:
    """Ask to be told; 201, or 200 for the same as before. It is active once its address accepted a handshake."""
    refuses = current_broker().webhooks.refuses
    wanted = read_subscription(validate(read_resource(), "Subscription"), refuses)
    made, is_new = subscriptions.subscribe(session(), caller(), wanted)
    return answer_stored(as_fhir(made), _version_url(made), created=is_new)


@blueprint.get("")
@blueprint.post("/_search")
def search() -> Response:
    """One's own subscriptions, by status."""
    asked = read_search(SUBSCRIPTION, caller().client_id)
    wanted = asked.values("status")
    found = [one for one in subscriptions.list_own(session(), caller()) if not wanted or one.status in wanted]
    shown, more = [as_fhir(one) for one in asked.page_of(found)], len(found) > asked.offset + asked.count
    return answer(searchset(asked, caller().client_id, shown, total=len(found), more=more))


@blueprint.get("/<uuid:subscription_id>")
def read(subscription_id: UUID) -> Response:
    """One of one's own."""
    return answer_read(as_fhir(subscriptions.get_own(session(), caller(), subscription_id)))


@blueprint.get("/<uuid:subscription_id>/_history")
def history(subscription_id: UUID) -> Response:
    """The versions, newest first."""
    said = {one.version.version: one for one in subscriptions.list_versions(session(), caller(), subscription_id)}
    versions = [Version(number, one.version.changed_at) for number, one in said.items()]
    kept = History(versions, lambda numbers: [as_fhir(said[one].subscription, said[one].version) for one in numbers])
    return answer(history_bundle(SUBSCRIPTION, subscription_id, caller().client_id, kept))


@blueprint.get("/<uuid:subscription_id>/_history/<int:version>")
def vread(subscription_id: UUID, version: int) -> Response:
    """One version."""
    versions = subscriptions.list_versions(session(), caller(), subscription_id)
    found = next((one for one in versions if one.version.version == version), None)
    if found is None:
        raise NotFound("The Subscription has no such version.")
    return answer_read(as_fhir(found.subscription, found.version))


@blueprint.put("/<uuid:subscription_id>")
def update(subscription_id: UUID) -> Response:
    """`requested` shakes hands anew and sends what has not arrived once more; `off` ends it."""
    body = validate(read_resource(), "Subscription")
    if body.get("id") != str(subscription_id):
        raise InvalidInput("Subscription.id must be the id in the URL.")
    act = {REQUESTED: subscriptions.ask_again, OFF: subscriptions.end}.get(str(body.get("status")))
    found = subscriptions.get_own(session(), caller(), subscription_id, hold=True)
    if Preconditions(request.headers.get("If-Match"), None).expected_version() not in {None, found.version}:
        raise VersionMismatch("The Subscription is not at the version this request was made for; read it again.")
    if act is None or not _same(found, body):
        raise Unprocessable(
            "Of a subscription only the status can be changed, to requested or off.",
            code="update-not-offered",
            hint="For another topic or address make a new one.",
        )
    made = act(session(), caller(), subscription_id)
    return answer_stored(as_fhir(made), _version_url(made), created=False)


@blueprint.delete("/<uuid:subscription_id>")
def delete(subscription_id: UUID) -> Response:
    """End it."""
    subscriptions.end(session(), caller(), subscription_id)
    return answer(None, 204)


@blueprint.route("/<uuid:subscription_id>/$status", methods=["GET", "POST"])
def status(subscription_id: UUID) -> Response:
    """How it stands, and what did not arrive."""
    read_inputs()
    found = subscriptions.get_own(session(), caller(), subscription_id)
    error = describe(subscriptions.deliveries_of(session(), found), found.last_error)
    entry = {"resource": _status(found, "query-status", error=error), "search": {"mode": "match"}}
    return answer(searchset_of([entry], total=1))


@blueprint.route("/<uuid:subscription_id>/$events", methods=["GET", "POST"])
def events(subscription_id: UUID) -> Response:
    """What it was told, from `eventsSinceNumber` to `eventsUntilNumber`, the first 100 of them."""
    found = subscriptions.get_own(session(), caller(), subscription_id)
    first, last = "eventsSinceNumber", "eventsUntilNumber"
    asked = {name: whole_number(text, name) for name, text in read_inputs(first, last).items()}
    told = subscriptions.list_events(session(), found, asked.get(first) or 1, asked.get(last))
    notices = [Notice(one.number or 0, one.raised_at, str(one.content["focus"]), one.subject) for one in told]
    made = _status(found, "query-event", notices)
    return answer(notification(made, f"{_url(found)}/$events", made["id"], now()))


def _status(found: Subscription, kind: str, notices: list[Notice] | None = None, error: str | None = None) -> Json:
    standing = Standing(found.id, found.topic, found.status, found.events)
    return status_of(_base(), standing, kind, status_id=str(new_id()), notices=notices or (), error=error)


def _same(found: Subscription, body: Json) -> bool:
    """Whether the body says of topic and address what is kept."""
    kept = as_fhir(found)
    channel = body.get("channel") or {}
    return bool(body.get("criteria") == kept["criteria"] and channel.get("endpoint") == kept["channel"]["endpoint"])


def _version_url(found: Subscription) -> str:
    return f"{_url(found)}/_history/{found.version}"


def _url(found: Subscription) -> str:
    return f"{_base()}/Subscription/{found.id}"


def _base() -> str:
    return f"{parts().settings.base_url}/fhir"

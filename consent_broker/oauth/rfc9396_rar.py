"""Rich authorization requests (RFC 9396): what scopes can't say of an access to records, said exactly.

One type, one object a request: which categories, of which establishments and days, for what purpose, until when.
What a record system asks so is what the patient's page says, what the consent says, and what the token says.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749.errors import InvalidScopeError, OAuth2Error
from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy.orm import Session

from consent_broker.consents.schemas import Until
from consent_broker.consents.vocabulary import (
    ALL_CATEGORIES,
    MAX_DURATION,
    PURPOSES,
    categories_of,
    end_of_day,
    scope_of,
)
from consent_broker.oauth.scopes import parse_scopes
from consent_broker.resource_server.reading import Unreadable, read_json
from registry.calendar import LIMA
from registry.database import now
from registry.directory.service import get_establishment
from registry.errors import NotFound

TYPE = "record-access"
DEFAULT_PURPOSE = "TREAT"
MAX_ESTABLISHMENTS = 50
Json = dict[str, Any]


class InvalidAuthorizationDetails(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """The details are of an unknown type, or hold a field or value that is not understood (§5)."""

    error = "invalid_authorization_details"


class _Days(Schema):
    class Meta:
        unknown = RAISE

    start = fields.Date()
    end = fields.Date()


class _Until(Schema):
    class Meta:
        unknown = RAISE

    end = Until(required=True)


def _words(known: Collection[str], most: int) -> "fields.List[Any]":
    one = fields.String(validate=validate.OneOf(sorted(known)))
    return fields.List(one, required=True, validate=validate.Length(1, most))


class _RecordAccess(Schema):
    class Meta:
        unknown = RAISE

    type = fields.String(required=True, validate=validate.Equal(TYPE))
    categories = _words(ALL_CATEGORIES, len(ALL_CATEGORIES))
    purpose = fields.String(load_default=DEFAULT_PURPOSE, validate=validate.OneOf(sorted(PURPOSES)))
    establishments = fields.List(
        fields.String(validate=validate.Regexp(r"[0-9]{8}\Z")), validate=validate.Length(1, MAX_ESTABLISHMENTS)
    )
    period = fields.Nested(_Until)
    data_period = fields.Nested(_Days)

    @validates_schema
    def each_once(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        """Refuse repetitions: they are mistakes."""
        for name in ("categories", "establishments"):
            if len(set(data.get(name, ()))) != len(data.get(name, ())):
                raise ValidationError("Each once.", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is asked for, or granted; None is any, and of `ends_at` the default."""

    categories: frozenset[str]
    purpose: str
    establishments: tuple[str, ...] | None = None
    """Whose records: RENIPRESS codes."""

    ends_at: datetime | None = None
    data_from: date | None = None
    data_until: date | None = None

    def as_json(self) -> Json:
        """The object as it is stored, and as it travels in answers and tokens."""
        days = {"start": self.data_from, "end": self.data_until}
        said = {name: day.isoformat() for name, day in days.items() if day}
        optional = {
            "establishments": list(self.establishments) if self.establishments else None,
            "period": {"end": self.ends_at.astimezone(LIMA).isoformat()} if self.ends_at else None,
            "data_period": said or None,
        }
        wanted = {"type": TYPE, "categories": sorted(self.categories), "purpose": self.purpose}
        return wanted | {name: value for name, value in optional.items() if value is not None}

    def scope(self, text: str | None) -> str:
        """The scope that says the same; what was sent beside may add to it, but name no other records.

        Raises InvalidScopeError.
        """
        beside = parse_scopes(text) if text else frozenset()
        if categories_of(beside) not in (frozenset(), self.categories):
            raise InvalidScopeError("scope and authorization_details name different records")
        return " ".join(sorted(beside | set(map(scope_of, self.categories))))


def read_details(session: Session, text: str) -> Details:
    """The `authorization_details` of a request; raises InvalidAuthorizationDetails for whatever is not understood."""
    details = load_details(_only_object(text))
    for code in details.establishments or ():
        try:
            get_establishment(session, code)
        except NotFound:
            raise InvalidAuthorizationDetails("establishments: one is not known") from None
    moment = now()
    latest = end_of_day((moment + MAX_DURATION).astimezone(LIMA).date())
    if details.ends_at is not None and not moment < details.ends_at <= latest:
        raise InvalidAuthorizationDetails(f"period: it ends within {MAX_DURATION.days} days, and not yet")
    if details.data_from and details.data_until and details.data_until < details.data_from:
        raise InvalidAuthorizationDetails("data_period: it ends before it begins")
    return details


def load_details(wanted: Any) -> Details:
    """Details from their JSON; raises InvalidAuthorizationDetails."""
    try:
        loaded = _RecordAccess().load(wanted)
    except ValidationError as error:
        raise InvalidAuthorizationDetails(_first(error.messages)) from None
    days = loaded.get("data_period", {})
    return Details(
        categories=frozenset(loaded["categories"]),
        purpose=loaded["purpose"],
        establishments=tuple(sorted(loaded["establishments"])) if "establishments" in loaded else None,
        ends_at=loaded.get("period", {}).get("end"),
        data_from=days.get("start"),
        data_until=days.get("end"),
    )


def sources_of(session: Session, details: Details) -> frozenset[UUID] | None:
    """The ids of the establishments whose records are meant; raises NotFound when one is no longer known."""
    if details.establishments is None:
        return None
    return frozenset(get_establishment(session, code).id for code in details.establishments)


def _only_object(text: str) -> Json:
    try:
        found = read_json(text.encode("utf-8", "replace"))
    except Unreadable:
        raise InvalidAuthorizationDetails("It must be JSON, with no name twice in one object") from None
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        raise InvalidAuthorizationDetails("It must be a list of one object")
    return found[0]


def _first(messages: Any) -> str:
    """The first field at fault by its name, which is ours or is not repeated; never the value that was sent."""
    name = next(iter(messages)) if isinstance(messages, dict) else ""
    known = name if name in _RecordAccess().fields else "a field"
    return f"{known}: not understood"

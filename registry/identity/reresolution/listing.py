"""The models decisions were made by, recognised by their hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from matching.model import Model
from registry.identity.models import MembershipEvent
from registry.identity.reresolution.models import MatchModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """A model, and how often and when it decided; `version` is None where only its hash is known."""

    hash: str
    version: str | None
    decisions: int
    first_used: datetime | None
    last_used: datetime | None


def list_models(session: Session, in_force: Model) -> list[ModelUse]:
    """The model in force, those shipped or ever run over the index, and those that decided; the newest use first."""
    event = MembershipEvent
    rows = session.execute(
        select(event.model_hash, func.count(), func.min(event.at), func.max(event.at))
        .where(event.model_hash.is_not(None))
        .group_by(event.model_hash)
    )
    used = {str(hash_): (count, first, last) for hash_, count, first, last in rows}
    known = _shipped() | dict(session.execute(select(MatchModel.hash, MatchModel.version)).all())
    versions: Mapping[str, str] = known | {in_force.hash: in_force.version}
    found = [_use(hash_, versions.get(hash_), *used.get(hash_, (0, None, None))) for hash_ in {*used, *versions}]
    return sorted(found, key=lambda one: (-(one.last_used.timestamp() if one.last_used else 0), one.hash))


def _use(hash_: str, version: str | None, decisions: int, first: datetime | None, last: datetime | None) -> ModelUse:
    return ModelUse(hash=hash_, version=version, decisions=decisions, first_used=first, last_used=last)


def _shipped() -> dict[str, str]:
    files = (one for one in resources.files("matching.models").iterdir() if one.name.endswith(".json"))
    models = (Model.load(str(one)) for one in files)
    return {model.hash: model.version for model in models}

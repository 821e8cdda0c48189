"""What a permission would not let be read, said before it is given: by the decision itself, in the person's words."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.deciding import foresee_access
from consent_broker.consents.directives import Terms
from consent_broker.consents.vocabulary import ALL_CATEGORIES
from portal import limit_texts, texts
from portal.present import in_order
from registry.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a permission before it is given, a line each: what stays unread, which limits it overrides."""

    withheld: Sequence[str]
    outranked: Sequence[str]


def foreseen_lines(session: Session, sealer: Sealer, asked: Terms, confidential: Collection[UUID] = ()) -> Said:
    """What a permission would and wouldn't let be read; `confidential` are consents whoever reads may not know of."""
    foreseen = foresee_access(session, asked, confidential)
    unasked = ALL_CATEGORIES - (asked.categories or frozenset())
    said = [
        f"No lo pide: {_named(unasked)}." if unasked else "",
        f"Nada de esto, por un límite suyo: {_named(foreseen.closed)}." if foreseen.closed else "",
    ]
    return Said(
        withheld=[*filter(None, said), *limit_texts.standing(session, sealer, foreseen.objections)],
        outranked=limit_texts.outranked(session, sealer, foreseen.outranked),
    )


def _named(categories: Collection[str]) -> str:
    return ", ".join(map(texts.category, in_order(categories)))

"""What holders sent, as the sections of a page, and what did not arrive."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from consent_broker.consents.vocabulary import FHIR_TYPES
from consent_broker.exchange.service import Missing, Record
from consent_broker.exchange.summary.service import alerts_in
from portal import clinical, texts
from portal.professional_views import Section


def sections_of(records: Sequence[Record], categories: Collection[str]) -> list[Section]:
    """One section a category, its newest lines first."""
    by_type = defaultdict(list)
    for found in records:
        by_type[found.resource_type].append(found.resource)
    return [
        Section(category=code, lines=[clinical.line(one) for one in clinical.newest_first(by_type[FHIR_TYPES[code]])])
        for code in categories
    ]


def alert_lines(records: Sequence[Record]) -> list[str]:
    """What in the records asks for attention: few lines, the gravest first."""
    return [one.text for one in alerts_in(records)]


def missing_lines(missing: Sequence[Missing]) -> list[str]:
    """What did not arrive, once for each establishment and reason."""
    codes = {kind: code for code, kind in FHIR_TYPES.items()}
    return list(
        dict.fromkeys(
            f"{one.holder.name} {texts.fault(one.fault)}"
            if one.holder
            else f"{texts.category(codes.get(one.resource_type, ''))}: la persona lo restringe."
            for one in missing
        )
    )

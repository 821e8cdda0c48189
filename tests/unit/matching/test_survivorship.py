from datetime import UTC, date, datetime
from itertools import permutations

from matching.records import Demographics, Document, DocumentType
from matching.survivorship import SourceView, preferred

OLD, NEW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
DNI = Document(DocumentType.DNI, "41238567")


def test_verified_comes_before_trust_and_recency() -> None:
    views = [
        SourceView(Demographics(paternal_surname="GUAMAN", phone="984111222"), NEW, trust=9),
        SourceView(
            Demographics(paternal_surname="HUAMAN", phone="984333444"), OLD, verified=frozenset({"paternal_surname"})
        ),
    ]
    best = preferred(views)
    assert (best.paternal_surname, best.phone) == ("HUAMAN", "984111222")


def test_recency_settles_equal_trust() -> None:
    views = [SourceView(Demographics(ubigeo="080101"), OLD), SourceView(Demographics(ubigeo="150101"), NEW)]
    assert preferred(views).ubigeo == "150101"


def test_names_are_not_mixed_but_gaps_are_filled() -> None:
    views = [
        SourceView(Demographics(paternal_surname="CCORI", maternal_surname="HUAMAN"), OLD),
        SourceView(Demographics(paternal_surname="HUAMAN", maternal_surname="CCORI"), NEW),
        SourceView(Demographics(given_names="ROSA"), OLD),
    ]
    best = preferred(views)
    assert (best.paternal_surname, best.maternal_surname, best.given_names) == ("HUAMAN", "CCORI", "ROSA")


def test_placeholders_never_outrank_values() -> None:
    views = [
        SourceView(Demographics(given_names="ROSA", birth_date=date(1985, 3, 12), documents=(DNI,)), OLD),
        SourceView(
            Demographics(
                given_names="RN", birth_date=date(1985, 1, 1), documents=(Document(DocumentType.DNI, "00000000"),)
            ),
            NEW,
            trust=5,
        ),
    ]
    best = preferred(views)
    assert (best.given_names, best.birth_date, best.documents) == ("ROSA", date(1985, 3, 12), (DNI,))


def test_order_of_views_changes_nothing() -> None:
    views = [
        SourceView(Demographics(paternal_surname=name, sex=sex, documents=(DNI,)), NEW)
        for name, sex in (("HUAMAN", "F"), ("GUAMAN", None), ("WAMAN", "M"))
    ]
    assert len({preferred(list(order)) for order in permutations(views)}) == 1


def test_no_views_make_an_empty_person() -> None:
    assert preferred([]) == Demographics()

"""Document numbers brought to one written form; what is no number at all is dropped."""

from collections.abc import Iterable

from matching.records import Document, DocumentType
from matching.text import fold

DNI_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)
DNI_DIGITS = "65432110987"
DNI_LETTERS = "KJIHGFEDCBA"
PLACEHOLDERS = frozenset({"12345678", "87654321", "01234567", "123456789", "1234567890", "000000001", "99999998"})
MAX_NUMBER = 20
PERUVIAN = (DocumentType.DNI, DocumentType.CE, DocumentType.PTP, DocumentType.CNV)


def dni_check_characters(number: str) -> str:
    """The digit and the letter that may follow an eight-digit DNI as its check character (RENIEC, CUI)."""
    remainder = sum(weight * int(digit) for weight, digit in zip(DNI_WEIGHTS, number, strict=True)) % 11
    return DNI_DIGITS[remainder] + DNI_LETTERS[remainder]


def normalise_documents(documents: Iterable[Document]) -> tuple[Document, ...]:
    """Distinct usable documents in a fixed order."""
    kept = [written for document in documents if (written := normalise_document(document)) is not None]
    return tuple(kept) if len(kept) < 2 else tuple(sorted({*kept}, key=lambda d: (d.type, d.country, d.number)))


def normalise_document(document: Document | None) -> Document | None:
    """One document in its written form, or None for a placeholder or an unusable number."""
    if document is None:
        return None
    number, kind = document.number, document.type
    if not (number.isascii() and number.isdigit() and len(number) <= MAX_NUMBER):
        number = fold(number).replace(" ", "")
    if kind is DocumentType.DNI:
        number = _dni(number)
    elif kind is DocumentType.CE or kind is DocumentType.PTP:
        number = number.lstrip("0").zfill(9) if number.isdigit() else number
    if _is_placeholder(number):
        return None
    country = _country(document)
    return document if (number, country) == (document.number, document.country) else Document(kind, number, country)


def _dni(number: str) -> str:
    """Eight digits: lost zeros restored, check character and the RUC's 10 prefix taken off."""
    if len(number) == 11 and number.isdigit() and number.startswith("10"):
        return number[2:10]
    if len(number) == 9 and number[:8].isdigit() and number[8] in dni_check_characters(number[:8]):
        return number[:8]
    return number.zfill(8) if number.isdigit() and 5 <= len(number) <= 8 else number


def _is_placeholder(number: str) -> bool:
    return (
        not 5 <= len(number) <= MAX_NUMBER
        or len(set(number)) == 1
        or number.isalpha()
        or number in PLACEHOLDERS
        or len(number.strip("0")) < 3
    )


def _country(document: Document) -> str:
    if document.type in PERUVIAN:
        return "PER"
    return fold(document.country)[:3] or "PER"

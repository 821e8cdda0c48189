"""Identity documents of professionals and staff: how one is written, and the blind token it is found by."""

from matching.records import Document, DocumentType
from registry.sealing import Sealer

_ISSUED_ABROAD = frozenset({DocumentType.PASSPORT, DocumentType.FOREIGN_ID, DocumentType.OTHER})


def document_token(sealer: Sealer, document: Document) -> bytes:
    """The token of a document in this room; of no use to search the tokens of patients (a domain of its own)."""
    return sealer.blind("directory:document", _written(document))


def _written(document: Document) -> str:
    number = "".join(document.number.split()).upper()
    if document.type in _ISSUED_ABROAD:
        return f"{document.type}:{document.country.upper()}:{number}"
    return f"{document.type}:{number}"

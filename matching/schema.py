"""How a file's columns say what the engine wants to know; a model for other files than Peru's brings its own.

The schema is part of the model's document (`schema`), so that a model and the files it is for travel together.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, cast, get_args

from matching.dates import DateOrder, parse_date
from matching.files import FileError, Reading, Row, canonical, read_table
from matching.records import Demographics, Document, DocumentType, Sex
from matching.text import fold, fold_name

IDENTIFIERS = ("establishment", "local_id")
DOCUMENT_COLUMNS = ("document_type", "document_number")
FIELDS = (
    *IDENTIFIERS,
    *DOCUMENT_COLUMNS,
    "paternal_surname",
    "maternal_surname",
    "married_surname",
    "given_names",
    "sex",
    "birth_date",
    "ubigeo",
    "address",
    "phone",
    "mother_document",
    "multiple_birth_order",
)
SEXES: dict[str, Sex] = {
    **dict.fromkeys(("M", "H", "1", "MASCULINO", "HOMBRE", "VARON", "MALE", "MAN"), "M"),
    **dict.fromkeys(("F", "2", "FEMENINO", "MUJER", "FEMALE", "WOMAN"), "F"),
}
WRITTEN_TYPES = {
    DocumentType.DNI: ("1", "LE", "DOCUMENTO NACIONAL DE IDENTIDAD"),
    DocumentType.CE: ("2", "CEX", "CARNE DE EXTRANJERIA", "CARNET DE EXTRANJERIA"),
    DocumentType.PASSPORT: ("3", "PAS", "PASAPORTE"),
    DocumentType.CNV: ("6",),
    DocumentType.FOREIGN_ID: ("DIE",),
}
DOCUMENT_TYPES = {kind.name: kind for kind in DocumentType}
DOCUMENT_TYPES |= {word: kind for kind, words in WRITTEN_TYPES.items() for word in words}
DNI_DIGITS = 8
LITERAL = "="
ESCAPED_NEWLINE = "\\n"


class SchemaError(ValueError):
    """A schema that does not say what a schema must say."""


@dataclass(frozen=True)
class FileSchema:
    """Which columns make up each field, and how this population writes.

    `columns` maps a field to the columns it is joined from; `=TEXT` among them stands for the text itself.
    `placeholders` are whole values, or whole names, that mean nothing is known, `short_forms` other spellings of the
    same given name, both folded. `document_digits` is how many digits a usable number has, where all have the same.
    With `names_of_its_own` no national list knows the names: they are counted from the file, and blocking is wider.
    """

    columns: Mapping[str, tuple[str, ...]]
    date_order: DateOrder
    placeholders: frozenset[str]
    short_forms: Mapping[str, str]
    document_digits: int | None
    names_of_its_own: bool

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> "FileSchema":
        """A schema from a model's document; without one, the columns are named as the fields. Raises `SchemaError`."""
        facts = document or {}
        order = facts.get("date_order", "dmy")
        if order not in get_args(DateOrder):
            raise SchemaError(f"date_order is one of {', '.join(get_args(DateOrder))}")
        digits = facts.get("document_digits")
        return cls(
            columns=_columns(facts.get("columns", {name: name for name in FIELDS})),
            date_order=cast("DateOrder", order),
            placeholders=frozenset(map(fold, facts.get("placeholders", ()))),
            short_forms={fold_name(short): fold_name(full) for short, full in facts.get("short_forms", {}).items()},
            document_digits=None if digits is None else int(digits),
            names_of_its_own=facts.get("names_of_its_own") is True,
        )

    @property
    def required(self) -> frozenset[str]:
        """Columns without which the file can't be what the schema is for."""
        return self._named(set(IDENTIFIERS))

    @property
    def telling(self) -> frozenset[str]:
        """Columns that say something about a person."""
        return self._named(set(FIELDS) - set(IDENTIFIERS))

    def identifiers(self, row: Row) -> tuple[str, str]:
        """Establishment and local number of a row, as written."""
        establishment, local_id = (self._cell(row, name) for name in IDENTIFIERS)
        return establishment, local_id

    def demographics(self, row: Row) -> Demographics:
        """What a row says of a person; what can't be understood is missing, never an error."""
        texts = {name: self._cell(row, name) for name in FIELDS}
        cell = {name: self._meant(text) if text else "" for name, text in texts.items()}
        if self._is_placeholder(f"{cell['given_names']} {cell['paternal_surname']}"):
            cell["given_names"] = cell["paternal_surname"] = ""
        order = cell["multiple_birth_order"]
        return Demographics(
            documents=self._documents(cell["document_type"], cell["document_number"]),
            paternal_surname=cell["paternal_surname"] or None,
            maternal_surname=cell["maternal_surname"] or None,
            married_surname=cell["married_surname"] or None,
            given_names=self._given_names(cell["given_names"]) or None,
            sex=SEXES.get(fold(cell["sex"])),
            birth_date=parse_date(cell["birth_date"], self.date_order),
            ubigeo=cell["ubigeo"] or None,
            address=cell["address"] or None,
            phone=cell["phone"] or None,
            mother_document=_document("", cell["mother_document"]),
            multiple_birth_order=int(order) if order in {"1", "2", "3", "4", "5", "6"} else None,
        )

    def _named(self, fields: set[str]) -> frozenset[str]:
        chosen = [columns for name, columns in self.columns.items() if name in fields]
        return frozenset(column for columns in chosen for column in columns if not column.startswith(LITERAL))

    @cached_property
    def _single(self) -> Mapping[str, str]:
        """Fields that are one column as it is."""
        return {
            name: columns[0]
            for name, columns in self.columns.items()
            if len(columns) == 1 and not columns[0].startswith(LITERAL)
        }

    def _cell(self, row: Row, name: str) -> str:
        single = self._single.get(name)
        if single is not None:
            return row.cells.get(single, "")
        columns = self.columns.get(name, ())
        parts = [column[1:] if column.startswith(LITERAL) else row.cells.get(column, "") for column in columns]
        return " ".join(filter(None, parts))

    def _meant(self, text: str) -> str:
        """A cell's text, or nothing where it is a placeholder."""
        return "" if self._is_placeholder(text) else text.replace(ESCAPED_NEWLINE, " ")

    def _is_placeholder(self, text: str) -> bool:
        return bool(self.placeholders) and fold(text) in self.placeholders

    def _documents(self, kind: str, number: str) -> tuple[Document, ...]:
        if self.document_digits is not None and sum(map(str.isdecimal, number)) != self.document_digits:
            return ()
        document = _document(kind, number)
        return () if document is None else (document,)

    def _given_names(self, text: str) -> str:
        if not self.short_forms:
            return text
        return " ".join(self.short_forms.get(word, word) for word in fold_name(text).split())


def _columns(written: Mapping[str, str | Iterable[str]]) -> dict[str, tuple[str, ...]]:
    unknown = sorted(set(written) - set(FIELDS))
    if unknown:
        raise SchemaError(f"no such fields: {', '.join(unknown)}; there are: {', '.join(FIELDS)}")
    lists = {name: (names,) if isinstance(names, str) else tuple(names) for name, names in written.items()}
    return {
        name: tuple(part if part.startswith(LITERAL) else canonical(part) for part in parts)
        for name, parts in lists.items()
    }


def _document(kind: str, number: str) -> Document | None:
    """A number under its type; without one, eight digits are taken for a DNI."""
    if not number:
        return None
    if not kind and number.isdecimal() and len(number) == DNI_DIGITS:
        return Document(DocumentType.DNI, number)
    return Document(DOCUMENT_TYPES.get(fold(kind), DocumentType.OTHER), number)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A source record of a file, and the line it starts on."""

    line: int
    establishment: str
    local_id: str
    demographics: Demographics


DEFAULT_SCHEMA = FileSchema.from_document(None)


def check_telling(schema: FileSchema, reading: Reading) -> None:
    """Raise `FileError` when no column says anything about a person."""
    if schema.telling.isdisjoint(reading.columns):
        known = ", ".join(sorted(schema.telling))
        raise FileError(f"no column says anything about a person; there may be: {known}")


def read_records(
    source: BinaryIO, schema: FileSchema = DEFAULT_SCHEMA, reading: Reading | None = None
) -> Iterator[FileRecord]:
    """Source records of a CSV. Raises `FileError`, also when no column says anything about a person."""
    reading = Reading() if reading is None else reading
    for row in read_table(source, schema.required, reading):
        check_telling(schema, reading)
        establishment, local_id = schema.identifiers(row)
        yield FileRecord(row.line, establishment, local_id, schema.demographics(row))

"""Options that commands share: a date, and an identity document."""

from datetime import datetime

import click
from pydantic import TypeAdapter, ValidationError

from matching.records import Document, DocumentType
from registry.directory.schemas import DocumentItem, Moment


class Until(click.ParamType[datetime]):
    """A date (midnight in Lima) or a moment with its time zone."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment: datetime = TypeAdapter(Moment).validate_python(value)
        except ValidationError:
            self.fail("write a date such as 2027-12-31, or a moment with its time zone", param, ctx)
        return moment


class DocumentParameter(click.ParamType[Document]):
    """TYPE:NUMBER, with the issuing country before the number of a foreign document: PASSPORT:BOL:X123456."""

    name = "document"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Document:
        if isinstance(value, Document):  # click converts the answer to a prompt twice
            return value
        kind, _, rest = str(value).upper().partition(":")
        country, colon, number = rest.rpartition(":")
        fields = {"type": kind, "number": number} | ({"country": country} if colon else {})
        try:
            return DocumentItem.model_validate(fields).document()
        except ValidationError:
            kinds = ", ".join(DocumentType)
            self.fail(f"write TYPE:NUMBER, such as DNI: and eight digits; types: {kinds}", param, ctx)


until_option = click.option("--until", required=True, type=Until(), help="A date (midnight in Lima) or a moment.")
document_option = click.option(
    "--document",
    required=True,
    type=DocumentParameter(),
    prompt="Document (TYPE:NUMBER)",
    help="Asked for when left out, so that the number stays out of the shell's history.",
)
establishment_option = click.option("--establishment", help="RENIPRESS, for an establishment's administrator.")

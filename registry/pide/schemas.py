"""The JSON of RENIEC's consultation over PIDE, as far as we read it; the photograph is never taken over."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_TEXT = 200


def _blank_is_missing(value: object) -> object:
    return (value.strip() or None) if isinstance(value, str) else value


Text = Annotated[str | None, Field(max_length=MAX_TEXT), BeforeValidator(_blank_is_missing)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class PersonData(_Part):
    """`datosPersona`; address, civil status, ubigeo and photograph are left where they are."""

    paternal_surname: Text = Field(default=None, alias="apPrimer")
    maternal_surname: Text = Field(default=None, alias="apSegundo")
    given_names: Text = Field(default=None, alias="prenombres")
    restriction: Text = Field(default=None, alias="restriccion")

    @property
    def names_somebody(self) -> bool:
        """Whether there is a given name and at least one surname."""
        return bool(self.given_names and (self.paternal_surname or self.maternal_surname))


class Result(_Part):
    """`return`: a result code, its text, and the person where there is one."""

    code: Text = Field(default=None, alias="coResultado")
    text: Text = Field(default=None, alias="deResultado")
    person: PersonData | None = Field(default=None, alias="datosPersona")


class Response(_Part):
    """`consultarResponse`."""

    result: Result = Field(alias="return")


class Consultation(_Part):
    """The whole body."""

    response: Response = Field(alias="consultarResponse")

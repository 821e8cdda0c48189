"""The official's password at PIDE, which has to be changed from time to time."""

from typing import Annotated

import httpx
from pydantic import BaseModel, Field, RootModel, SecretStr, ValidationError

from registry.errors import Unavailable, Unprocessable
from registry.pide.reniec import MAX_BYTES, Account

PATH = "/Rest/RENIEC/Actualizar"


class _Result(BaseModel):
    code: str = Field(alias="coResultado", max_length=20)


class _Response(BaseModel):
    result: _Result = Field(alias="return")


class _Answer(RootModel[Annotated[dict[str, _Response], Field(min_length=1, max_length=1)]]):
    """One named response; its name differs between versions of the service."""


def change_password(http: httpx.Client, account: Account, new: SecretStr) -> None:
    """Replace the account's password; raises Unprocessable when PIDE refuses, Unavailable when it can't be told."""
    question = {
        "credencialAnterior": account.password.get_secret_value(),
        "credencialNueva": new.get_secret_value(),
        "nuDni": account.official_dni,
        "nuRuc": account.entity_ruc,
    }
    try:
        answer = http.post(PATH, params={"out": "json"}, json={"PIDE": question})
        code = _code(answer)
    except (httpx.HTTPError, ValidationError) as error:
        raise Unavailable(
            "PIDE gave no clear answer: the password may or may not have changed.",
            hint="Run `pide check` with each password before trying again.",
            debug=type(error).__name__,
        ) from None
    if code != "0000":
        raise Unprocessable(f"PIDE refused the new password (code {code[:20]}); the old one is still in force.")


def _code(answer: httpx.Response) -> str:
    answer.raise_for_status()
    [response] = _Answer.model_validate_json(answer.content[:MAX_BYTES]).root.values()
    return response.result.code

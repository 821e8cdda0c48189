"""What pages say of an error: by its code where it has words of its own, else by its status."""

from typing import NamedTuple

from portal.steward.words import ERRORS as STEWARDS_ERRORS


class ErrorText(NamedTuple):
    """What happened, and what to do next."""

    title: str
    body: str
    next: str


ERRORS = {
    400: ErrorText("No entendimos lo que se envió", "Falta un dato o algo no tiene la forma esperada.",
                   "Vuelva atrás, revise el formulario y envíelo otra vez."),
    401: ErrorText("Necesita ingresar", "Esta página es personal.", "Ingrese con ID Perú y vuelva a intentarlo."),
    403: ErrorText("No puede ver esta página", "Su ingreso no da permiso para esto.",
                   "Si cree que es un error, cambie de perfil o comuníquese con nosotros."),
    404: ErrorText("No encontramos esta página", "La dirección no existe, ya no está o no es suya.",
                   "Revise la dirección o empiece desde el inicio."),
    405: ErrorText("Esta página no se abre así", "Se llegó a ella de una forma no prevista.",
                   "Empiece desde el inicio."),
    409: ErrorText("Esto ya cambió", "Alguien, quizá usted en otra ventana, lo decidió o modificó antes.",
                   "Abra de nuevo la página para ver cómo está ahora."),
    413: ErrorText("Lo enviado es demasiado grande", "El formulario supera el tamaño permitido.", "Envíe menos texto."),
    422: ErrorText("No se puede hacer", "Lo pedido no cumple una regla del registro.",
                   "Revise los datos y vuelva a intentarlo."),
    429: ErrorText("Demasiados intentos", "Recibimos muchos pedidos seguidos.",
                   "Espere un minuto y vuelva a intentarlo."),
    500: ErrorText("Algo falló de nuestro lado", "No se cambió ningún dato.",
                   "Vuelva a intentarlo en unos minutos. Si se repite, llámenos y diga el código."),
    503: ErrorText("El servicio está ocupado", "No se cambió ningún dato.",
                   "Espere unos segundos y vuelva a intentarlo."),
}  # fmt: skip


SEARCHED_TOO_OFTEN = ErrorText(
    "Buscó a muchas personas en poco tiempo",
    "Para cuidar los datos de todos, cada profesional tiene un número de búsquedas por hora.",
    "Espere un minuto y busque otra vez. Las personas que ya encontró siguen abiertas para usted.",
)
EMERGENCY_REFUSED = ErrorText(
    "No se puede abrir esta emergencia",
    "La persona no permite accesos de emergencia, o usted no puede abrirlos ahora.",
    "Atienda con lo que la persona o su familia le digan. Puede pedirle permiso desde su página.",
)
ERRORS_BY_CODE = {
    **{code: ErrorText(*said) for code, said in STEWARDS_ERRORS.items()},
    "search-budget-spent": SEARCHED_TOO_OFTEN,
    "emergency-refused": EMERGENCY_REFUSED,
    "emergency-suspended": EMERGENCY_REFUSED,
    "too-many-emergencies": EMERGENCY_REFUSED,
}


def error_text(status: int, code: str = "") -> ErrorText:
    """The words of a code or else of a status; the nearest general ones where it has none of its own."""
    return ERRORS_BY_CODE.get(code) or ERRORS.get(status) or ERRORS[500 if status >= 500 else 400]

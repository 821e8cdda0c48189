"""Refusals the portal raises itself; their words are Spanish and go to the screen as they are."""

from registry.audit.event import Event
from registry.errors import Conflict, Forbidden, InvalidInput, Unavailable

SPOKEN = "portal-"
"""Codes with this prefix carry a message and a hint in Spanish."""


class FormExpired(Forbidden):
    """The form's token is not of this session (cross-site request, or an old tab)."""

    code = "portal-form-expired"

    def __init__(self) -> None:
        super().__init__("Este formulario ya no vale.", hint="Abra de nuevo la página y repita lo que hacía.")


class SignInFailed(InvalidInput):
    """What came back from the identity provider is not an answer to what was asked."""

    code = "portal-sign-in-failed"

    def __init__(self, debug: str) -> None:
        hint = "Vuelva a empezar desde «Ingresar». Si usó el botón Atrás, no pasa nada."
        super().__init__("No pudimos completar su ingreso.", hint=hint, debug=debug)


class SignInUnavailable(Unavailable):
    """The identity provider does not answer."""

    code = "portal-sign-in-unavailable"

    def __init__(self, debug: str) -> None:
        super().__init__("ID Perú no responde.", hint="Espere unos minutos y vuelva a intentarlo.", debug=debug)


class PasskeyRefused(InvalidInput):
    """What an authenticator answered proves nothing here; why stays in the log."""

    code = "portal-passkey-refused"

    def __init__(self, debug: str, *, audit: Event | None = None) -> None:
        hint = "Vuelva a intentarlo desde la página. Si no puede, ingrese con su clave y revise «Llaves de acceso»."
        super().__init__("La llave de acceso no sirvió.", hint=hint, debug=debug, audit=audit)


class RoleMissing(Forbidden):
    """The person signed in without the role the page asks for."""

    code = "portal-role-missing"

    def __init__(self, role: str) -> None:
        super().__init__(
            f"Su ingreso no tiene el perfil de {role}.",
            hint="Si lo tiene, salga e ingrese con ese perfil. Si debería tenerlo, pídalo a su establecimiento.",
        )


class NoWorkplace(Forbidden):
    """The professional is in the directory and works nowhere today."""

    code = "portal-no-workplace"

    def __init__(self) -> None:
        super().__init__(
            "Hoy no figura en ningún establecimiento.", hint="Pida a su establecimiento que actualice su ficha."
        )


class AlreadyDecided(Conflict):
    """The request or permission has moved on."""

    code = "portal-already-decided"

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="Abra «Mis permisos» para ver cómo está ahora.")


class TooManyHidden(Conflict):
    """One holder is told to withhold as much by name as a token has room for."""

    code = "portal-too-many-hidden"

    def __init__(self, *, alone: bool) -> None:
        """`alone`: nothing else of that holder is hidden, so that it is this item's names that are too many."""
        super().__init__(
            "Este dato tiene demasiados nombres para ocultarlo solo."
            if alone
            else "Ya oculta muchos datos de este establecimiento, uno por uno.",
            hint="En «Límites» puede ocultar una parte entera de su historia, o todo el establecimiento.",
        )


class BadForm(InvalidInput):
    """A field is missing or has no sense."""

    code = "portal-bad-form"

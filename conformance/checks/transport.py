"""TLS: the version spoken, the certificate shown, and what must not be spoken any more."""

import socket
import ssl
import warnings
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from conformance.bench import Bench
from conformance.lines import Finding, Line, Part, Untested, broken, doubtful, held
from conformance.sections import Section
from conformance.trust import trust

TRANSPORT = Section("TLS", Part.SERVER)
SECONDS = 10.0
OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)


@TRANSPORT.line(
    Line(
        id="tls.used",
        asked="La dirección usa https.",
        norm="RFC 9700 §4.17; FHIR R4 §6.1.1",
        expected="https; http sólo en loopback, para ensayar",
        mend="Publique su servidor detrás de TLS 1.2 o más nuevo.",
    )
)
def used(bench: Bench) -> Finding:
    """Over loopback a rehearsal may do without."""
    where = urlsplit(bench.plan.base)
    if where.scheme == "https":
        return held("https")
    return doubtful("http en loopback: TLS no se ha probado") if _loopback(where) else broken("http")


def _loopback(where: SplitResult) -> bool:
    host = where.hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@TRANSPORT.line(
    Line(
        id="tls.certificate",
        asked="El certificado.",
        norm="RFC 9325 §6.1; RFC 9525",
        expected="válido, de ese nombre y con más de 30 días",
        mend="Renueve el certificado, con su cadena entera, para el nombre registrado en el directorio.",
    )
)
def certificate(bench: Bench) -> Finding:
    """By the system's authorities, or those the operator named."""
    where = _https(bench)
    try:
        with _connect(where, trust(bench.plan.ca)) as connection:
            shown = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return broken(f"no se puede verificar: {error.verify_message}")
    except OSError as error:
        return broken(f"no se puede conectar: {type(error).__name__}")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    days = (ends - datetime.now(UTC)).days
    return held(f"válido {days} días más") if days > 30 else doubtful(f"vence en {days} días")


@TRANSPORT.line(
    Line(
        id="tls.version",
        asked="La versión de TLS.",
        norm="RFC 9325 §3.1.1",
        expected="TLS 1.2 o 1.3",
        mend="Habilite TLS 1.2 y 1.3.",
    )
)
def version(bench: Bench) -> Finding:
    """Nothing older is needed by anybody."""
    context = _trusting()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with _connect(_https(bench), context) as connection:
            return held(f"{connection.version()}, {(connection.cipher() or ('?',))[0]}")
    except OSError as error:
        return broken(f"no negocia TLS 1.2 o más nuevo: {type(error).__name__}")


@TRANSPORT.line(
    Line(
        id="tls.old",
        asked="TLS 1.0 y 1.1.",
        norm="RFC 8996",
        expected="negados",
        mend="Deshabilite TLS 1.0 y 1.1.",
    )
)
def old(bench: Bench) -> Finding:
    """Tried one at a time, with the old ciphers allowed on this side."""
    where = _https(bench)
    spoken = [name.name for name in OLD if _speaks(where, name)]
    return broken(f"acepta {', '.join(spoken)}") if spoken else held("negados")


def _speaks(where: SplitResult, wanted: ssl.TLSVersion) -> bool:
    context = _trusting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # offering what is forbidden is the point
        context.minimum_version = context.maximum_version = wanted
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with _connect(where, context):
            return True
    except OSError:
        return False


def _trusting() -> ssl.SSLContext:
    """A context for looking at versions: who answers is another line's matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _connect(where: SplitResult, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((where.hostname or "", where.port or 443), timeout=SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname=where.hostname)
    except BaseException:
        plain.close()
        raise


def _https(bench: Bench) -> SplitResult:
    where = urlsplit(bench.plan.base)
    if where.scheme != "https":
        if _loopback(where):
            raise Untested("La dirección es http en loopback.")
        raise Untested("La dirección no usa https.")
    return where

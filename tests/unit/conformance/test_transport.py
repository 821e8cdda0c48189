"""What the kit sees of TLS, on a server of its own."""

import socketserver
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conformance.bench import Bench, Plan
from conformance.checks.transport import TRANSPORT
from conformance.lines import Finding, Untested

CHECKS = {line.id: check for line, check in TRANSPORT.checks}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is its own authority, with its key, ending in ten days."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=10, hours=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = builder.add_extension(names, critical=True).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def base(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)

    class Greeter(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                with context.wrap_socket(self.request, server_side=True) as connection:
                    connection.recv(1)
            except OSError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}/fhir"
        server.shutdown()


def seen(name: str, base: str, ca: Path | None = None) -> Finding:
    bench = cast("Any", Bench)(Plan(base=base, ca=str(ca) if ca else None), None, None, None)
    return CHECKS[name](bench)


def test_a_modern_server_is_seen_as_one(base: str, certificate: Path) -> None:
    assert seen("tls.used", base).status == "passed"
    assert seen("tls.version", base).seen.startswith("TLSv1.3")
    assert seen("tls.old", base).status == "passed"
    near = seen("tls.certificate", base, certificate)
    assert (near.status, near.seen) == ("warning", "vence en 10 días")


def test_a_certificate_nobody_vouches_for_fails(base: str) -> None:
    unknown = seen("tls.certificate", base)
    assert unknown.status == "failed"
    assert "no se puede verificar" in unknown.seen


def test_plain_http_is_for_rehearsals_on_loopback_alone() -> None:
    statuses = {host: seen("tls.used", f"http://{host}/fhir").status
                for host in ("127.0.0.1:8190", "[::1]:8190", "localhost", "10.0.0.1", "hce.example.pe")}  # fmt: skip
    assert list(statuses.values()) == ["warning", "warning", "warning", "failed", "failed"]
    with pytest.raises(Untested):
        seen("tls.old", "http://127.0.0.1/fhir")

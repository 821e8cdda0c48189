"""The TLS certificates of the sandbox: an authority of its own, and one certificate for each record system."""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.files import private_file
from sandbox.layout import HOST, Layout
from sandbox.places import ESTABLISHMENTS

LASTS = dt.timedelta(days=3650)


class Holder(NamedTuple):
    """A private key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def sha256(self) -> str:
        """Return the fingerprint that the directory knows it by."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def make_authority(name: str) -> Holder:
    """Return an authority that signs the certificates of record systems."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = _usage(signs_certificates=True)
    builder = _builder(name, name, key, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return Holder(key, builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()))


def make_client(authority: Holder, name: str) -> Holder:
    """Return what a record system shows on the HL7 v2 port."""
    return _issue(authority, name, ExtendedKeyUsageOID.CLIENT_AUTH, [])


def make_server(authority: Holder, host: str) -> Holder:
    """Return what the registry shows there, good for an IP address and for localhost."""
    names = [x509.IPAddress(ipaddress.ip_address(host)), x509.DNSName("localhost")]
    return _issue(authority, host, ExtendedKeyUsageOID.SERVER_AUTH, names)


def _issue(authority: Holder, name: str, purpose: x509.ObjectIdentifier, others: list[x509.GeneralName]) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    builder = (
        _builder(name, str(issuer), key, authority.key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if others:
        builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    return Holder(key, builder.sign(authority.key, hashes.SHA256()))


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    begins = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + LASTS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def save(holder: Holder, key: Path, certificate: Path) -> None:
    """Write both in PEM, the key for its owner's eyes."""
    pem = holder.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with private_file(key) as file:
        file.write(pem.decode())
    with private_file(certificate) as file:
        file.write(holder.certificate.public_bytes(serialization.Encoding.PEM).decode())


def load(key: Path, certificate: Path) -> Holder:
    """Return what `save` wrote."""
    private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{key} holds no EC key")
    return Holder(private, x509.load_pem_x509_certificate(certificate.read_bytes()))


class Certificates:
    """The certificates of one sandbox: made at the first `prepare`, the same ever after."""

    def __init__(self, layout: Layout) -> None:
        folder = layout.certificates
        self.authority_file = folder / "authority.pem"
        fresh = not self.authority_file.exists()
        authority = _kept(folder, "authority") or _made(folder, "authority", make_authority("Sandbox de RENHICE"))
        self.clients = {
            place.client_id: _kept(folder, place.client_id)
            or _made(folder, place.client_id, make_client(authority, place.client_id))
            for place in ESTABLISHMENTS
        }
        self._folder = folder
        with private_file(layout.tls / "clients.pem") as file:
            file.write(self.authority_file.read_text())
        if fresh or not (layout.tls / "server.pem").exists():
            save(make_server(authority, HOST), layout.tls / "server.key", layout.tls / "server.pem")

    def files(self, client_id: str) -> dict[str, str]:
        """Return where a record system's key and certificate lie, and whom it trusts."""
        return {
            "key": str(self._folder / f"{client_id}.key"),
            "certificate": str(self._folder / f"{client_id}.pem"),
            "trusted": str(self.authority_file),
        }


def _kept(folder: Path, name: str) -> Holder | None:
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    return load(key, certificate) if certificate.exists() else None


def _made(folder: Path, name: str, holder: Holder) -> Holder:
    save(holder, folder / f"{name}.key", folder / f"{name}.pem")
    return holder

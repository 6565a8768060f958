"""TLS on loopback: an authority of our own, and the proxy with a certificate that it signed."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import socket
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from servers.proxy import FaultProxy

ADDRESS = "127.0.0.1"


class Certificates(NamedTuple):
    """Files: the authority's certificate, and a server's with its key."""

    authority: Path
    server: Path


def make_certificates(
    folder: Path, *, ended: bool = False, is_authority: bool = False
) -> Certificates:
    """Certificates of a new authority.

    The server's may have ended yesterday, or be one that an authority has, as `openssl req -x509`
    makes them.
    """
    key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fanfold tests")])
    now = datetime.now(UTC)
    day = timedelta(days=1)
    authority = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - 9 * day)
        .not_valid_after(now + 9 * day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    server = (
        x509.CertificateBuilder(
            name,
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ADDRESS)]),
            server_key.public_key(),
            x509.random_serial_number(),
        )
        .not_valid_before(now - 8 * day)
        .not_valid_after(now + (-day if ended else day))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(ADDRESS))]), critical=False
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    made.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    private = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made.server.write_bytes(private + server.public_bytes(Encoding.PEM))
    return made


class TlsProxy(FaultProxy):
    """The proxy, behind TLS."""

    def __init__(self, upstream_url: str, certificates: Certificates) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.server)
        super().__init__(upstream_url)

    @property
    def url(self) -> str:
        return f"https://{ADDRESS}:{self.port}"

    def get_request(self) -> tuple[socket, Any]:
        """A connection; its handshake is a matter of its own thread."""
        connection, address = super().get_request()
        return (
            self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False),
            address,
        )

"""A certificate for the loopback address, made by openssl."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate that is its own authority, and its key."""

    chain: Path
    key: Path

    def context(self, *protocols: str) -> ssl.SSLContext:
        """What a client needs that trusts the certificate."""
        context = ssl.create_default_context(cafile=str(self.chain))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def make_certificate(directory: Path) -> Certificate:
    """A new certificate for localhost."""
    certificate = Certificate(directory / "certificate.pem", directory / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(certificate.key), "-out", str(certificate.chain)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate

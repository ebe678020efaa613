"""Encryption: a certificate of the user's, or one that is made here for this machine's own names.

The one that is made has an authority of its own, whose key is thrown away as soon as it has signed: whoever trusts
its file trusts this one certificate and nothing else.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from rtchat.errors import UsageError

NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"
"""What the certificate is for."""
DAYS = 365
RENEWED_BEFORE_S = 30 * 24 * 3600
"""A certificate with less time left is made anew."""

_AUTHORITY = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = of_authority
[name]
CN = rtchat on this machine
[of_authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""
_SERVER = f"""\
[req]
prompt = no
distinguished_name = name
[name]
CN = localhost
[of_server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {NAMES}
"""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM form.

    Attributes:
        cert: The certificate, and the chain below its authority.
        key: Its key, without a password.
        authority: What clients must trust; None when that is the user's business.
    """

    cert: Path
    key: Path
    authority: Path | None = None


def context(certificate: Certificate) -> ssl.SSLContext:
    """What the server's sockets need.

    Raises:
        UsageError: A file cannot be read, or the two do not belong together.
    """
    for path in (certificate.cert, certificate.key):
        try:
            path.read_bytes()
        except OSError as error:
            raise UsageError(
                f"Cannot read {path}: {error.strerror}.", hint="Give PEM files with --tls-cert and --tls-key."
            ) from error
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_alpn_protocols(["http/1.1"])
    try:
        made.load_cert_chain(certificate.cert, certificate.key, password="")  # never asks at the terminal
    except (ssl.SSLError, OSError) as error:
        why = "the key is not the certificate's" if "MISMATCH" in str(error) else "one of them is not in PEM form"
        raise UsageError(
            f"Cannot use {certificate.cert} with {certificate.key}: {why}, or the key has a password.",
            hint="Give the certificate with its chain, and its key without a password, in PEM form.",
        ) from error
    return made


def self_signed(folder: Path | None = None) -> Certificate:
    """The certificate for this machine's own names; made when there is none, or it soon expires.

    Args:
        folder: Where it is kept; by default the user's cache.

    Raises:
        UsageError: It cannot be made: there is no `openssl`, or the folder cannot be written.
    """
    folder = folder or platformdirs.user_cache_path("rtchat", appauthor=False) / "tls"
    found = Certificate(folder / "cert.pem", folder / "key.pem", folder / "authority.pem")
    program = shutil.which("openssl")
    if program is None:
        raise UsageError(
            "Making a certificate needs the program openssl, which is not installed.",
            hint="Install openssl, or give --tls-cert and --tls-key.",
        )
    if _lasts(program, found):
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="tls-") as made:  # only this user can read it
            _make(program, Path(made))
            _put(Path(made) / "kept", folder)
    except OSError as error:
        raise UsageError(
            f"Cannot write a certificate to {folder}: {error.strerror}.", hint="Give --tls-cert and --tls-key."
        ) from error
    return found


def _lasts(program: str, found: Certificate) -> bool:
    try:
        context(found)
    except UsageError:
        return False
    check = [program, "x509", "-noout", "-checkend", str(RENEWED_BEFORE_S), "-in", str(found.cert)]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def _make(program: str, folder: Path) -> None:
    """An authority, and a certificate that it has signed, in `kept`; the authority's key stays outside."""
    (folder / "kept").mkdir(mode=0o700)
    (folder / "authority.cnf").write_text(_AUTHORITY)
    (folder / "server.cnf").write_text(_SERVER)
    new_key = ["-newkey", "rsa:2048", "-nodes"]
    authority = ["-x509", "-days", str(DAYS), "-config", "authority.cnf"]
    sign = [
        "-CA",
        "kept/authority.pem",
        "-CAkey",
        "authority.key",
        "-CAserial",
        "authority.srl",
        "-CAcreateserial",
        "-days",
        str(DAYS),
    ]
    extensions = ["-extfile", "server.cnf", "-extensions", "of_server"]
    for command in (
        ["req", *new_key, *authority, "-keyout", "authority.key", "-out", "kept/authority.pem"],
        ["req", *new_key, "-config", "server.cnf", "-keyout", "kept/key.pem", "-out", "server.csr"],
        ["x509", "-req", "-in", "server.csr", *sign, *extensions, "-out", "kept/cert.pem"],
    ):
        done = subprocess.run([program, *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise UsageError(f"openssl could not make a certificate: {said}", hint="Give --tls-cert and --tls-key.")


def _put(made: Path, folder: Path) -> None:
    """Whole or not at all: another server may be starting at the same time."""
    if folder.exists():
        with suppress(FileNotFoundError):
            folder.rename(made.parent / "old")
    with suppress(OSError):  # the other was quicker
        made.rename(folder)
    if not (folder / "key.pem").exists():
        raise PermissionError(13, "the folder is in use")

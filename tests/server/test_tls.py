"""Encrypted, with a certificate that is made here and with one that is given."""

import asyncio
import os
import ssl
import stat
import subprocess

import pytest
import websockets
from openai import AsyncOpenAI

from rtchat.errors import UsageError
from rtchat.server import tls
from rtchat.server.run import ServerConfig, embedded
from rtchat.server.tls import Certificate, context, self_signed

pytestmark = pytest.mark.needs("openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("cache") / "tls")


@pytest.fixture(scope="module")
def strict(certificate):
    """As strict as Python 3.13 is by default."""
    trusting = ssl.create_default_context(cafile=certificate.authority)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return trusting


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_who_trusts_the_authority_comes_in_by_every_name(engines, connect, certificate, strict, name):
    async with embedded(ServerConfig(tls=certificate), engines=engines) as url:
        assert url.startswith("wss://127.0.0.1:")
        async with connect(url.replace("127.0.0.1", name), ssl=strict) as client:
            assert client.created["type"] == "session.created"


async def test_who_does_not_trust_it_stays_outside(engines, connect, certificate):
    async with embedded(ServerConfig(tls=certificate), engines=engines) as url:
        with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed certificate|unable to"):
            async with connect(url, ssl=ssl.create_default_context()):
                pass


async def test_the_openai_client_needs_nothing_but_the_file(engines, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    async with embedded(ServerConfig(tls=certificate), engines=engines) as url:
        guest = AsyncOpenAI(api_key="any", base_url=url.replace("wss://", "https://"), max_retries=0)
        async with guest, guest.realtime.connect(model="gpt-realtime-2.1") as connection:
            assert (await connection.recv()).type == "session.created"


async def test_nothing_is_said_in_the_clear(engines, certificate):
    async with embedded(ServerConfig(tls=certificate), engines=engines) as url:
        with pytest.raises((websockets.InvalidMessage, ConnectionError)):
            await websockets.connect(url.replace("wss://", "ws://") + "/realtime", proxy=None)


def test_the_key_is_for_its_owner_alone_and_the_authority_s_is_gone(certificate):
    folder = certificate.key.parent
    assert sorted(path.name for path in folder.iterdir()) == ["authority.pem", "cert.pem", "key.pem"]
    if os.name == "posix":
        assert stat.S_IMODE(certificate.key.stat().st_mode) == 0o600
    assert list(folder.parent.iterdir()) == [folder]


def test_it_is_made_once(certificate):
    before = certificate.cert.read_bytes()
    assert self_signed(certificate.cert.parent) == certificate
    assert certificate.cert.read_bytes() == before


@pytest.mark.parametrize("days", ["10", None])
def test_one_that_expires_or_is_broken_is_made_anew(tmp_path, monkeypatch, days):
    folder = tmp_path / "tls"
    if days:
        monkeypatch.setattr(tls, "DAYS", int(days))
        self_signed(folder)
        monkeypatch.undo()
    else:
        folder.mkdir()
        (folder / "cert.pem").write_text("nonsense")
    made = self_signed(folder)
    check = ["openssl", "x509", "-noout", "-checkend", str(100 * 86400), "-in", made.cert]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    assert context(made)


async def test_two_servers_may_start_at_once(tmp_path):
    folder = tmp_path / "tls"
    await asyncio.gather(*(asyncio.to_thread(self_signed, folder) for _ in range(3)))
    context(self_signed(folder))


def test_what_cannot_be_used_is_one_sentence(certificate, tmp_path, monkeypatch):
    missing, text = tmp_path / "missing.pem", tmp_path / "text.pem"
    text.write_text("not a certificate")
    other = self_signed(tmp_path / "other" / "tls")
    with pytest.raises(UsageError, match=r"Cannot read .*missing.pem: No such file"):
        context(Certificate(certificate.cert, missing))
    with pytest.raises(UsageError, match=r"not in PEM form"):
        context(Certificate(text, certificate.key))
    with pytest.raises(UsageError, match=r"the key is not the certificate's"):
        context(Certificate(certificate.cert, other.key))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"Cannot write a certificate to .*file"):
        self_signed(tmp_path / "file" / "tls")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"openssl, which is not installed"):
        self_signed(tmp_path / "tls")

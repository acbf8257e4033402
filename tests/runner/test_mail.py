"""Mail over TLS, on a real SMTP server with a certificate of the test's own: trusted, or refused by name."""

import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from runner.sending.channel import TryAgain
from runner.sending.mail import SmtpChannel
from schemas.receivers import Secret, Smtp
from tests.receivers import Mailbox, message

Tls = Literal["starttls", "tls"]
BOTH: tuple[Tls, ...] = ("starttls", "tls")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for ``localhost`` that signs itself, and its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    made = ["-out", str(folder / "cert.pem"), "-keyout", str(folder / "key.pem")]
    subject = ["-subj", "/CN=mail", "-addext", "subjectAltName=DNS:localhost"]
    making = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *made]
    subprocess.run(making, check=True, capture_output=True)
    return folder / "cert.pem"


@contextmanager
def server(certificate: Path, port: int, tls: Tls) -> Iterator[Mailbox]:
    """A mail server that takes mail encrypted only; after STARTTLS (aiosmtpd asks nowhere else) only from
    ``city`` with the right password.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    mailbox = Mailbox()

    def authenticates(*given: object) -> AuthResult:
        return AuthResult(success=given[-1] == LoginPassword(b"city", b"pa55word"))

    controller = Controller(
        mailbox,
        hostname="localhost",
        port=port,
        authenticator=authenticates,
        auth_required=tls == "starttls",
        ssl_context=context if tls == "tls" else None,
        tls_context=context if tls == "starttls" else None,
        require_starttls=tls == "starttls",
    )
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def receiver(port: int, tls: Literal["starttls", "tls", "none"], host: str = "localhost") -> Smtp:
    """Our side of it."""
    return Smtp(
        type="smtp",
        host=host,
        port=port,
        tls=tls,
        user="city" if tls == "starttls" else None,
        password=Secret(env="MAIL_PASSWORD"),
        sender="city@example.org",
        to=("desk@example.org",),
        allow_private=True,
    )


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the receiver looks for it."""
    monkeypatch.setenv("MAIL_PASSWORD", "pa55word")


@pytest.mark.parametrize("tls", BOTH)
def test_mail_goes_out_encrypted_to_a_server_that_is_trusted(
    tls: Tls, certificate: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Authorities of one's own stand in the file that OpenSSL looks for."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    port = free_port()
    with server(certificate, port, tls) as mailbox:
        SmtpChannel(receiver(port, tls)).send(message(1), {})
    (mail,) = mailbox.messages
    assert mail["Subject"] == "[warning] pump-1 dead (north)"


@pytest.mark.parametrize("tls", BOTH)
def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls: Tls, certificate: Path, free_port: Callable[[], int]
) -> None:
    """Nothing is sent, no password either; the reason says what is wrong, and what can be done."""
    port = free_port()
    with server(certificate, port, tls) as mailbox, pytest.raises(TryAgain) as refused:
        SmtpChannel(receiver(port, tls)).send(message(1), {})
    assert str(refused.value).startswith(
        "the connection failed (its certificate is not trusted: self-signed certificate; SSL_CERT_FILE names"
    ) or "self signed certificate" in str(refused.value)
    assert not refused.value.sent
    assert "pa55word" not in str(refused.value)
    assert mailbox.messages == []


def test_a_certificate_of_another_host_is_refused(
    certificate: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trusted, but for ``localhost``, and we asked for another name."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    port = free_port()
    with (
        server(certificate, port, "starttls") as mailbox,
        pytest.raises(TryAgain, match="certificate is not"),
    ):
        SmtpChannel(receiver(port, "starttls", host="127.0.0.1")).send(message(1), {})
    assert mailbox.messages == []


def test_a_server_that_offers_no_encryption_gets_nothing(free_port: Callable[[], int]) -> None:
    """Neither mail nor password in the clear, unless the receiver says ``tls: none``."""
    port, mailbox = free_port(), Mailbox()
    controller = Controller(mailbox, hostname="localhost", port=port)
    controller.start()
    try:
        with pytest.raises(TryAgain, match="SMTPNotSupportedError"):
            SmtpChannel(receiver(port, "starttls")).send(message(1), {})
    finally:
        controller.stop()
    assert mailbox.messages == []

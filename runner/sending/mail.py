"""Mail: what mail programs show as one thread is one thread of ours."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from runner.sending.addresses import resolve
from runner.sending.channel import Memo, NeverMind, TryAgain, key_of, secret_of, untrusted
from schemas.notifications import Notification
from schemas.receivers import Smtp
from schemas.times import SECOND

DOMAIN = "crosscurrent.invalid"
"""Of message ids: they are names, and nobody's address."""
HELO = socket.gethostname()
"""Without it smtplib asks the network for our full name at each connection, which can take seconds."""


class SmtpChannel:
    """One connection for each message: they are few, and servers close idle ones."""

    def __init__(self, receiver: Smtp) -> None:
        self._receiver = receiver
        self._password = secret_of(receiver.password) if receiver.password else None
        self._context = ssl.create_default_context()  # a tenth of a second: not for each message

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """Hand it to the server."""
        try:
            server = self._connected()
        except ssl.SSLCertVerificationError as error:
            raise TryAgain(f"the connection failed ({untrusted(error)})") from error
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code) from error
        except (smtplib.SMTPException, OSError) as error:
            raise TryAgain(f"the connection failed ({type(error).__name__})") from error
        try:
            with server:
                refused = server.send_message(mail(notification, self._receiver))
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code) from error
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _failure(min(codes, default=550)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise TryAgain(f"the connection failed ({type(error).__name__})", sent=True) from error
        if refused:
            raise NeverMind(f"{len(refused)} of its addresses were refused")
        return memo

    def close(self) -> None:
        """Nothing is held open."""

    def _connected(self) -> smtplib.SMTP:
        receiver = self._receiver
        addresses = resolve(receiver.host, receiver.port, allow_private=receiver.allow_private)
        if receiver.tls == "tls":
            server: smtplib.SMTP = _PinnedTls(addresses, receiver, self._context)
        else:
            server = _Pinned(addresses, receiver)
        try:
            if receiver.tls == "starttls":
                server.starttls(context=self._context)
            if receiver.user is not None and self._password is not None:
                server.login(receiver.user, self._password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


class _Pinned(smtplib.SMTP):
    """Connects to an address that was checked, under the host's name."""

    def __init__(self, addresses: list[str], receiver: Smtp) -> None:
        self._addresses = addresses
        super().__init__(receiver.host, receiver.port, HELO, timeout=receiver.timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 - its own
        return _connection(self._addresses, port, timeout)


class _PinnedTls(smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""

    def __init__(self, addresses: list[str], receiver: Smtp, context: ssl.SSLContext) -> None:
        self._addresses = addresses
        super().__init__(receiver.host, receiver.port, HELO, timeout=receiver.timeout, context=context)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = _connection(self._addresses, port, timeout)
        return self.context.wrap_socket(plain, server_hostname=host)


def _connection(addresses: list[str], port: int, timeout: float) -> socket.socket:
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            if address == addresses[-1]:
                raise
    raise AssertionError("a host that was resolved has an address")


def mail(notification: Notification, receiver: Smtp) -> EmailMessage:
    """The message: the first of a thread bears its name, the others refer to it."""
    first = f"<{key_of(notification).replace('/', '.')}@{DOMAIN}>"
    message = EmailMessage()
    message["Message-ID"] = first if notification.kind == "opened" else f"<{notification.id}@{DOMAIN}>"
    if notification.kind != "opened":
        message["In-Reply-To"] = message["References"] = first
    message["Date"] = formatdate(notification.at / SECOND)
    message["From"] = receiver.sender
    message["To"] = ", ".join(receiver.to)
    message["Subject"] = _one_line(notification)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notification.text + "\n")
    return message


def _one_line(notification: Notification) -> str:
    again = "" if notification.kind == "opened" else f"{notification.kind.capitalize()}: "
    return " ".join(f"{again}{notification.title}".split())


def _failure(code: int) -> TryAgain | NeverMind:
    """4xx is for now, 5xx for good."""
    return NeverMind(f"refused with {code}") if code >= 500 else TryAgain(f"answered {code}")

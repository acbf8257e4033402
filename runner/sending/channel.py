"""What every channel is: something that takes one message, or says why not.

SendFailed
  TryAgain     it may work later: a time-out, a busy or broken server
  NeverMind    it never will: the receiver refuses this message, or we refuse its address
"""

import os
import ssl
from collections.abc import Mapping
from typing import Protocol

from pydantic import SecretStr

from schemas.errors import CrosscurrentError
from schemas.notifications import Notification
from schemas.receivers import Secret

Memo = Mapping[str, str]
"""What a channel has to remember of a thread, from one message to the next."""


class SendFailed(CrosscurrentError):
    """A message that did not go out. Its text holds no address and no secret."""


class TryAgain(SendFailed):
    """It may work later; ``after`` is how many seconds the receiver asked us to wait. ``sent``: it may have
    arrived all the same.
    """

    def __init__(self, reason: str, after: float | None = None, *, sent: bool = False) -> None:
        super().__init__(reason)
        self.after, self.sent = after, sent


def untrusted(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, and what can be done."""
    return (
        f"its certificate is not trusted: {error.verify_message}; SSL_CERT_FILE names authorities of your own"
    )


class NeverMind(SendFailed):
    """It will not work, however often it is tried."""


class NoSecret(CrosscurrentError):
    """A secret is not where the file says."""


class Channel(Protocol):
    """One receiver, ready to be sent to. Several threads may use it at a time."""

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """Send one message; what is to be remembered of its thread. Raises SendFailed.

        It is the same message under the same key however often it is sent.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def secret_of(secret: Secret) -> SecretStr:
    """A secret, from where the file says. Raises NoSecret where it is not there."""
    if secret.env is not None:
        found, where = os.environ.get(secret.env, ""), f"the environment variable {secret.env}"
    else:
        assert secret.file is not None, "the model lets nothing else through"
        where = str(secret.file)
        try:
            found = secret.file.read_text(encoding="utf-8").partition("\n")[0].strip()
        except OSError as error:
            raise NoSecret(f"the secret in {where} can't be read: {error.strerror}") from error
    if not found:
        raise NoSecret(f"{where} is empty; it should hold a secret")
    return SecretStr(found)


def key_of(notification: Notification) -> str:
    """What all messages of a thread to one addressee share: receivers know by it what belongs together."""
    return f"{notification.thread}/{notification.to}"

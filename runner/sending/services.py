"""Any service that Apprise knows: a hundred of them, each by an address that holds its secrets.

Apprise says only whether it worked, so every failure may be tried again. It resolves names itself: an
address in the URL is checked before, but could lead elsewhere a moment later.
"""

import logging

from runner.extras import needs
from runner.sending.addresses import resolve
from runner.sending.channel import Memo, NoSecret, TryAgain, secret_of
from schemas.alarms import Severity
from schemas.notifications import Notification
from schemas.receivers import Apprise

with needs("apprise"):
    import apprise

TYPES = {
    Severity.INFO: apprise.NotifyType.INFO,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
}


class AppriseChannel:
    """One Apprise address. Raises NoSecret where there is none, or one that Apprise does not know."""

    def __init__(self, receiver: Apprise) -> None:
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its log would show addresses
        asset = apprise.AppriseAsset(http_redirects=False, secure_logging=True)
        service = apprise.Apprise.instantiate(secret_of(receiver.url).get_secret_value(), asset=asset)
        if not isinstance(service, apprise.NotifyBase):
            raise NoSecret("the secret of an apprise receiver is no address that Apprise knows")
        service.socket_connect_timeout = service.socket_read_timeout = receiver.timeout
        self._service, self._receiver = service, receiver

    def send(self, notification: Notification, memo: Memo) -> Memo:
        """Hand it to Apprise."""
        if host := self._service.host:
            resolve(host, self._service.port or 443, allow_private=self._receiver.allow_private)
        over = notification.kind == "resolved"
        kind = apprise.NotifyType.SUCCESS if over else TYPES[notification.severity]
        if not self._service.notify(body=notification.text, title=notification.title, notify_type=kind):
            raise TryAgain("Apprise could not deliver it", sent=True)  # it does not say why
        return memo

    def close(self) -> None:
        """Nothing is held open."""

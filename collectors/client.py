"""A paho client dressed by our settings: who we are, TLS, back-off. The collector and the player share it."""

import ssl

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from collectors.settings import MqttSettings
from schemas.errors import CrosscurrentError

FINAL = frozenset({133, 134, 135, 138, 140})
"""Refusals that trying again does not mend: client id, user or password, not allowed, banned, method."""
UNSUPPORTED_VERSION = 132


class BrokerFailed(CrosscurrentError, OSError):
    """A broker that is out of reach, or that refuses us: exit status 3."""


def new_client(
    settings: MqttSettings, client_id: str, protocol: MQTTProtocolVersion, *, lasting: bool
) -> Client:
    """A client, not connected yet.

    ``lasting``: its session outlives the connection, and it acknowledges by hand.

    Raises BrokerFailed where a file that the settings name can't be used.
    """
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if protocol == MQTTProtocolVersion.MQTTv5 else not lasting,
        protocol=protocol,
        manual_ack=lasting,
    )
    client.reconnect_delay_set(1, settings.reconnect_seconds_max)
    try:
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.secret())
        if settings.tls:
            context = ssl.create_default_context(cafile=settings.ca_file)
            if settings.cert_file is not None:
                context.load_cert_chain(settings.cert_file, settings.key_file)
            client.tls_set_context(context)
    except OSError as error:  # an SSLError is one too
        raise BrokerFailed(f"broker {settings.address}: a password or certificate file: {error}") from error
    return client


def unreachable(settings: MqttSettings, why: str) -> BrokerFailed:
    """The error for a broker that can't be talked to."""
    return BrokerFailed(
        f"broker {settings.address} is out of reach: {why}; is it running, is the address right?"
    )


def refusal(settings: MqttSettings, code: ReasonCode) -> BrokerFailed:
    """The error for a broker that does not accept us."""
    return BrokerFailed(
        f"broker {settings.address} refuses us: {code}; check user name, password and its access rules"
    )

"""A worker's place in its group, given up for it: after a kill its name would still hold what it held.

A group gives a named member that comes back what it had, without asking anybody. That is quick; but where
partitions change hands one by one, a kill between the two steps of a change leaves some that the name no
longer has and nobody else got: the group calls itself stable, and they rest for ever (seen on Kafka 4.4 with
librdkafka 2.16). So who comes back leaves first, and joins as somebody new.
"""

import time

from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError

from runner.kafka.settings import KafkaFailed, KafkaSettings

PATIENCE = 20.0
PAUSE = 0.2


def forget(settings: KafkaSettings, group: str, member: str) -> None:
    """Let the group forget who had this name (``group.instance.id``), if anybody had.

    Raises KafkaFailed where we may not, or where the group's coordinator is not there for 20 s: a Kafka that
    starts takes some.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            admin = KafkaAdminClient(**settings.kafka_python())
            try:
                admin.remove_group_members(group, [MemberToRemove(group_instance_id=member)])
            finally:
                admin.close()
            return
        except KafkaError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise KafkaFailed(
                    f"Kafka {settings.address}: group {group!r}: {error}; is it running, may we?"
                ) from error
        time.sleep(PAUSE)

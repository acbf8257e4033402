"""All that one host needs on Kafka, as services for the supervisor.

In:  where city, broker and Kafka are, and how many workers are wanted.
Out: the services, in the order in which data goes through them.
"""

import platform
from collections.abc import Mapping
from pathlib import Path

from runner.kafka.settings import KafkaSettings
from runner.supervisor import Service
from runner.webserver import LOOPBACK

MEMBER = "CROSSCURRENT_KAFKA_MEMBER"


def services(
    city: Path,
    settings: KafkaSettings,
    *,
    broker: str | None,
    kafka: str,
    causes: Path | None,
    detectors: int,
    shell: str,
    alerts: bool,
    answers: str | None,
    console: Mapping[str, str] | None,
    influx: str | None,
    token_file: Path | None,
    metrics: str | None,
) -> list[list[Service]]:
    """A collector, so many detecting workers, one that correlates, and if wanted one that sends, a page
    (``console``: its arguments by their names) and a sink. Those in groups have a name of their own there, so
    that they get their partitions back at once after a restart.
    """
    here = settings.member or platform.node()
    of_city = ("--city", str(city), "--kafka", kafka)
    thinking = (*of_city, "--shell", shell, *(("--causes", str(causes)) if causes else ()))
    listening = (*of_city, *(("--broker", broker) if broker else ()))
    stages = [
        [Service("collect", ("collect", *listening))],
        [
            Service(f"detect-{number}", ("stream", "detect", *thinking), {MEMBER: f"{here}-{number}"})
            for number in range(1, detectors + 1)
        ],
        [Service("correlate", ("stream", "correlate", *thinking), {MEMBER: here})],
    ]
    if alerts:
        taking = ("--answers", answers) if answers else ()
        stages.append([Service("alert", ("alert", *of_city, *taking), {MEMBER: here})])
    if console is not None:
        asked = tuple(word for argument in console.items() for word in argument)
        stages.append([Service("console", ("console", *of_city, *asked))])
    if influx is not None:
        writing = ("--influx", influx, *(("--token-file", str(token_file)) if token_file else ()))
        if metrics is not None:  # the page of all services: their figures are written too
            place = metrics if ":" in metrics else f"{LOOPBACK}:{metrics}"
            writing = (*writing, "--watch", f"host=http://{place}/metrics")
        stages.append([Service("sink", ("sink", "influx", *of_city, *writing), {MEMBER: here})])
    return stages

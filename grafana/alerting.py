"""Who is told what Grafana finds: contact points, notification policies, mute timings, as provisioning files.

In:  nothing but the environment variables named here, which Grafana reads when it starts.
Out: the content of three files.

Grafana knows one tree of policies, and a file of policies replaces it whole. Where Grafana is shared with
other teams, leave ``policies.yaml`` out and route ``source=crosscurrent`` in your own tree.
"""

from typing import Any

DESK = "crosscurrent-desk"
HEARTBEAT = "crosscurrent-heartbeat"
MAINTENANCE = "crosscurrent-maintenance"

DESK_URL = "${CROSSCURRENT_ALERT_URL}"
HEARTBEAT_URL = "${CROSSCURRENT_HEARTBEAT_URL}"
"""Where the dead-man's switch calls: a service elsewhere that raises its voice when the calls stop."""


def contact_points() -> dict[str, Any]:
    """Two webhooks: the desk, and the one that must never fall silent."""
    return {
        "apiVersion": 1,
        "contactPoints": [_webhook(DESK, DESK_URL, resolve=True), _webhook(HEARTBEAT, HEARTBEAT_URL, False)],
    }


def policies() -> dict[str, Any]:
    """The dead-man's switch goes every five minutes to its own place; of the rest, warnings rest at night
    while work is planned, and what is critical never rests.
    """
    route = {"object_matchers": [["source", "=", "crosscurrent"]]}
    return {
        "apiVersion": 1,
        "policies": [
            {
                "orgId": 1,
                "receiver": DESK,
                "group_by": ["grafana_folder", "alertname"],
                "routes": [
                    {
                        "receiver": HEARTBEAT,
                        "object_matchers": [["source", "=", "crosscurrent"], ["heartbeat", "=", "true"]],
                        "group_wait": "0s",
                        "group_interval": "1m",
                        "repeat_interval": "5m",
                    },
                    {
                        "receiver": DESK,
                        "object_matchers": [["source", "=", "crosscurrent"], ["severity", "=", "warning"]],
                        "group_by": ["alertname", "city"],
                        "mute_time_intervals": [MAINTENANCE],
                        "repeat_interval": "12h",
                    },
                    {
                        "receiver": DESK,
                        **route,
                        "group_by": ["alertname", "city"],
                        "group_wait": "10s",
                        "repeat_interval": "4h",
                    },
                ],
            }
        ],
    }


def mute_timings() -> dict[str, Any]:
    """When work on the servers is planned: Sundays from two to four, in UTC."""
    return {
        "apiVersion": 1,
        "muteTimes": [
            {
                "orgId": 1,
                "name": MAINTENANCE,
                "time_intervals": [
                    {
                        "times": [{"start_time": "02:00", "end_time": "04:00"}],
                        "weekdays": ["sunday"],
                    }
                ],
            }
        ],
    }


def _webhook(name: str, url: str, resolve: bool) -> dict[str, Any]:
    return {
        "orgId": 1,
        "name": name,
        "receivers": [
            {
                "uid": name,
                "type": "webhook",
                "settings": {"url": url, "httpMethod": "POST"},
                "disableResolveMessage": not resolve,
            }
        ],
    }

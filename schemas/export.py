"""What travels, described for outsiders. ``python -m schemas.export`` writes it, ``--check`` compares.

In:  the models and the table of topics of this package.
Out: in ``schemas/json/`` one JSON Schema a model, and the topics as an AsyncAPI 3 document.
With ``--check`` nothing is written, and the exit status is 1 where a file differs from what it describes.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from schemas.alarms import Alarm, AlarmChange
from schemas.answers import Answer
from schemas.city import City
from schemas.incidents import DomainWord, Incident, IncidentRevision
from schemas.notifications import Decision, Delivered, Notification
from schemas.readings import DeadLetter, Event, Frame, Tick
from schemas.receipts import Receipt
from schemas.topics import TOPICS, Topic

FOLDER = Path(__file__).with_name("json")
MODELS: dict[str, type[BaseModel]] = {
    "city": City,
    "frame": Frame,
    "event": Event,
    "tick": Tick,
    "dead-letter": DeadLetter,
    "receipt": Receipt,
    "alarm": Alarm,
    "alarm-change": AlarmChange,
    "alarm-overheard": AlarmChange,
    "domain-word": DomainWord,
    "incident": Incident,
    "incident-revision": IncidentRevision,
    "notification": Notification,
    "answer": Answer,
    "decision": Decision,
    "delivered": Delivered,
}
"""What travels, by the name of its schema file."""


def schemas() -> dict[Path, str]:
    """The content of each file."""
    files: dict[str, Any] = {f"{name}.schema.json": m.model_json_schema() for name, m in MODELS.items()}
    files["asyncapi.json"] = asyncapi()
    return {FOLDER / name: json.dumps(content, indent=1) + "\n" for name, content in files.items()}


def asyncapi() -> dict[str, Any]:
    """The topics that others may read or write, as an AsyncAPI 3 document."""
    public = [topic for topic in TOPICS if topic.carries]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Crosscurrent on Kafka",
            "version": "1.0.0",
            "description": "Records carry CloudEvents 1.0 headers (binary mode); ce_type names the schema.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in public},
        "operations": {
            f"send-{topic.name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": topic.says,
            }
            for topic in public
        },
        "components": {"messages": {name: _message(name) for t in public for name in t.carries}},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    settings = {
        name: [value] if name == "cleanup.policy" else int(value) for name, value in topic.settings.items()
    }
    return {
        "address": topic.name,
        "description": f"{topic.says} The key is: {topic.key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in topic.carries},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": settings,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(name: str) -> dict[str, Any]:
    return {
        "name": f"crosscurrent.{name}",
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "required": ["ce_specversion", "ce_type", "ce_source", "ce_id"],
            "properties": {
                "ce_specversion": {"const": "1.0"},
                "ce_type": {"const": f"crosscurrent.{name}"},
                "ce_source": {"type": "string"},
                "ce_id": {"type": "string"},
            },
        },
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{name}.schema.json"},
        },
    }


def stale() -> list[Path]:
    """Files that differ from what they describe, or are missing."""
    return [path for path, text in schemas().items() if not path.is_file() or path.read_text() != text]


def main() -> int:
    """Write the files, or compare them; the exit status."""
    if "--check" in sys.argv[1:]:
        for path in (found := stale()):
            sys.stderr.write(
                f"{path} differs from what it describes; write it anew with python -m schemas.export\n"
            )
        return 1 if found else 0
    FOLDER.mkdir(exist_ok=True)
    for path, text in schemas().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

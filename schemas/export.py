"""The models as JSON Schema, for outsiders. ``python -m schemas.export`` writes them, ``--check`` compares.

In:  the models of this package.
Out: one file a model in ``schemas/json/``. With ``--check`` nothing is written, and the exit status is 1
where a file differs from its model.
"""

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from schemas.alarms import Alarm, AlarmChange
from schemas.city import City
from schemas.incidents import Incident, IncidentRevision
from schemas.notifications import Notification
from schemas.readings import DeadLetter, Event, Frame, Tick

FOLDER = Path(__file__).with_name("json")
MODELS: dict[str, type[BaseModel]] = {
    "city": City,
    "frame": Frame,
    "event": Event,
    "tick": Tick,
    "dead-letter": DeadLetter,
    "alarm": Alarm,
    "alarm-change": AlarmChange,
    "incident": Incident,
    "incident-revision": IncidentRevision,
    "notification": Notification,
}
"""What travels, by the name of its schema file."""


def schemas() -> dict[Path, str]:
    """The content of each schema file."""
    return {
        FOLDER / f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=1) + "\n"
        for name, model in MODELS.items()
    }


def stale() -> list[Path]:
    """Schema files that differ from their models, or are missing."""
    return [path for path, text in schemas().items() if not path.is_file() or path.read_text() != text]


def main() -> int:
    """Write the files, or compare them; the exit status."""
    if "--check" in sys.argv[1:]:
        for path in (found := stale()):
            sys.stderr.write(f"{path} differs from its model; write it anew with python -m schemas.export\n")
        return 1 if found else 0
    FOLDER.mkdir(exist_ok=True)
    for path, text in schemas().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

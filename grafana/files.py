"""Everything that Grafana is given, as files for its provisioning.

In:  a city model.
Out: the content of each file, by its path below Grafana's ``provisioning`` folder; boards below ``boards``.
Promises: the same model gives the same bytes.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from grafana import alerting, names, rules, watch
from grafana.boards import asset, incident, load, pipeline, runs, utility
from grafana.boards import city as city_board
from schemas.city import City, Utility
from schemas.points import FACTS

FOLDER = Path(__file__).with_name("provisioning")
"""Where riverton's are kept, for review."""
RUNBOOKS = "http://runbooks.invalid"
"""Where nobody said where the runbooks can be read. It has to be known when the files are made: from 10 on
Grafana fills in nothing there.
"""
BOARD_UTILITIES = (
    Utility.POWER, Utility.WATER, Utility.STORM, Utility.SEWAGE, Utility.WASTE, Utility.ROADS,
)  # fmt: skip
"""Utilities with a board, where the city has them."""


def boards(city: City) -> dict[str, dict[str, Any]]:
    """Every board, by its name."""
    there = {item.utility for item in city.assets}
    return {
        "city": city_board.build(city),
        **{str(kind): utility.build(city, kind) for kind in BOARD_UTILITIES if kind in there},
        "asset": asset.build(city),
        "incident": incident.build(city),
        "pipeline": pipeline.build(city),
        "load": load.build(city),
        "runs": runs.build(city),
    }


def panel_ids(made: dict[str, dict[str, Any]]) -> rules.Panels:
    """The id of each panel, by its board's name and its title."""
    return {(name, panel["title"]): panel["id"] for name, board in made.items() for panel in board["panels"]}


def title(city: City) -> str:
    """The folder's title."""
    return f"Crosscurrent · {city.city}"


def data_source(url: str, org: str) -> dict[str, Any]:
    """InfluxDB as Grafana's data source, without its token."""
    return {
        "name": "Crosscurrent",
        "uid": names.DATASOURCE,
        "type": names.DATASOURCE_TYPE,
        "access": "proxy",
        "url": url,
        "jsonData": {
            "version": "Flux",
            "organization": org,
            "defaultBucket": FACTS.name,
            "timeout": 30,
        },
    }


def files(city: City, runbooks: str = RUNBOOKS) -> dict[Path, str]:
    """The content of each file."""
    made = boards(city)
    # Rules get a folder of their own: Grafana reads them before the boards, and would make the boards' folder
    # under a uid that it draws by lot.
    folder = f"{title(city)} · alerts"
    group = rules.for_file(watch.rules(city.city), city.city, folder, panel_ids(made), runbooks)
    settings: dict[str, dict[str, Any]] = {
        "datasources/crosscurrent.yaml": _sources(),
        "dashboards/crosscurrent.yaml": _provider(city),
        "alerting/rules.yaml": group,
        "alerting/contact-points.yaml": alerting.contact_points(),
        "alerting/mute-timings.yaml": alerting.mute_timings(),
        "alerting/policies.yaml": alerting.policies(),
    }
    written = {Path(name): _yaml(content) for name, content in settings.items()}
    return written | {Path(f"boards/{name}.json"): _json(board) for name, board in made.items()}


def stale(wanted: dict[Path, str], folder: Path) -> list[Path]:
    """Files that differ from what is wanted, are missing, or are ours and wanted no more."""
    differing = {
        path
        for path, content in wanted.items()
        if not (folder / path).is_file() or (folder / path).read_text("utf-8") != content
    }
    return sorted(differing | ({path.relative_to(folder) for path in _ours(folder)} - wanted.keys()))


def write(wanted: dict[Path, str], folder: Path) -> None:
    """Write them, and remove boards of ours that are wanted no more."""
    for path in _ours(folder):
        if path.relative_to(folder) not in wanted:
            path.unlink()
    for path, content in wanted.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, "utf-8")


def _ours(folder: Path) -> Iterable[Path]:
    return (folder / "boards").glob("*.json") if (folder / "boards").is_dir() else ()


def _sources() -> dict[str, Any]:
    """Address and token come from Grafana's environment."""
    source = data_source("${CROSSCURRENT_INFLUX_URL}", "${CROSSCURRENT_INFLUX_ORG}")
    secret = {"token": "${CROSSCURRENT_INFLUX_TOKEN}"}
    return {
        "apiVersion": 1,
        "datasources": [{"orgId": 1, **source, "secureJsonData": secret, "editable": False}],
    }


def _provider(city: City) -> dict[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": names.folder(city.city),
                "orgId": 1,
                "folder": title(city),
                "folderUid": names.folder(city.city),
                "type": "file",
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": "${CROSSCURRENT_BOARDS}"},
            }
        ],
    }


def _json(board: dict[str, Any]) -> str:
    return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


def _yaml(content: dict[str, Any]) -> str:
    written: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return f"# Made by crosscurrent grafana build. Do not edit.\n{written}"


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a block, so that queries can be reviewed."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)

"""Take the pictures of Grafana's boards for the docs: riverton's storm at eleven.

In:  cities/riverton, InfluxDB, Chromium, a Grafana where ``GRAFANA_HOME`` names the folder of one with pages.
Out: docs/pictures/board-*.png, each under 400 kB.
Without a Grafana panels are laid out as the board's JSON says, their queries asked of a real InfluxDB, and
the answers drawn plainly, with the board's own colours, words and units.
"""

import os
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser

from grafana import files, names
from scripts.drawing import DRAW, Box
from scripts.pictures import BYTES_MAX, PICTURES, chromium
from tests.grafana.room import Room, provision
from tests.servers import Grafana, Influxd, free_ports

COLUMN, ROW, GAP, HEAD = 60, 34, 8, 30
GRAFANA_ROW = 38
LOADS_MS, SETTLES_MS = 240_000, 3_000
START, STOP = "05:00", "11:00"
PAGES = {
    "dark": {"page": "#111217", "panel": "#181b1f", "ink": "#ccccdc", "line": "#2c3235"},
    "light": {"page": "#f4f5f5", "panel": "#ffffff", "ink": "#24292e", "line": "#dcdfe4"},
}
SHOTS = {
    "city": ("dark", 50),
    "storm": ("light", 38),
    "asset": ("light", 27),
    "incident": ("dark", 62),
    "load": ("light", 33),
}
"""Boards, each with its page and how many rows of it are shown."""


def main() -> int:
    """Take them; 0 where all are small enough."""
    home = os.environ.get("GRAFANA_HOME")
    with tempfile.TemporaryDirectory(prefix="crosscurrent-boards-") as name:
        folder = Path(name)
        with Influxd(folder, free_ports(1)[0]) as server, chromium() as browser:
            room = Room(server.address, folder).furnish()
            if home:
                in_grafana(room, folder, Path(home), browser)
            else:
                plainly(room, browser)
    too_big = [path.name for path in PICTURES.glob("board-*.png") if path.stat().st_size > BYTES_MAX]
    for name in too_big:
        sys.stderr.write(f"{name} is larger than {BYTES_MAX} bytes\n")
    return 1 if too_big else 0


def in_grafana(room: Room, folder: Path, home: Path, browser: Browser) -> None:
    """As Grafana shows them to somebody who is not signed in."""
    boards = files.boards(room.city)
    (folder / "grafana").mkdir()
    environment = provision(room, folder / "grafana", "https://wiki.example", "http://127.0.0.1:9")
    environment["GF_AUTH_ANONYMOUS_ENABLED"] = "true"
    with Grafana(folder / "grafana", free_ports(1)[0], environment, home.resolve()) as grafana:
        for board, (scheme, rows) in SHOTS.items():
            page = browser.new_page(viewport={"width": 24 * COLUMN, "height": rows * GRAFANA_ROW + 2 * GAP})
            page.route(lambda url: not url.startswith(grafana.address), lambda route: route.abort())
            asked = {"from": room.at(START), "to": room.at(STOP), "theme": scheme}
            asked |= {f"var-{name}": value for name, value in room.variables.items() if value != ".*"}
            uid = names.board(room.city.city, board)
            page.goto(f"{grafana.address}/d/{uid}?{urlencode(asked)}&kiosk", timeout=LOADS_MS)
            page.get_by_text(boards[board]["panels"][0]["title"], exact=True).wait_for(timeout=LOADS_MS)
            page.wait_for_load_state("networkidle", timeout=LOADS_MS)
            page.wait_for_timeout(SETTLES_MS)
            page.screenshot(path=PICTURES / f"board-{board}.png")
            page.close()


def plainly(room: Room, browser: Browser) -> None:
    """Drawn by ourselves."""
    boards = files.boards(room.city)
    for board, (scheme, rows) in SHOTS.items():
        page = browser.new_page(viewport={"width": 24 * COLUMN + 2 * GAP, "height": rows * ROW + 50})
        page.set_content(drawn(room, boards[board], PAGES[scheme], rows))
        page.screenshot(path=PICTURES / f"board-{board}.png")
        page.close()


def drawn(room: Room, board: dict[str, Any], page: dict[str, str], rows: int) -> str:
    """A board as a page."""
    panels = "".join(_panel(room, panel, page) for panel in board["panels"] if panel["gridPos"]["y"] < rows)
    return (
        f"<style>body{{margin:{GAP}px;background:{page['page']};color:{page['ink']};font:13px sans-serif}}"
        f".p{{position:absolute;background:{page['panel']};border:1px solid {page['line']};overflow:hidden}}"
        "h2{font-size:13px;margin:7px 10px} table{border-collapse:collapse;width:100%;font-size:12px}"
        f"td,th{{text-align:left;padding:3px 8px;border-top:1px solid {page['line']};vertical-align:top}}"
        f".n{{opacity:.65;padding:10px}} svg text{{fill:{page['ink']};font-size:10px}}</style>"
        f"<h1 style='font-size:17px;margin:6px'>{escape(board['title'])}</h1>"
        f"<div style='position:relative'>{panels}</div>"
    )


def _panel(room: Room, panel: dict[str, Any], page: dict[str, str]) -> str:
    place = panel["gridPos"]
    left, top = place["x"] * COLUMN, place["y"] * ROW
    width, height = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
    title = panel["title"]
    for name, value in room.variables.items():
        title = title.replace(f"${name}", value)
    if panel["type"] == "row":
        return f"<h2 style='position:absolute;left:{left}px;top:{top}px'>{escape(title)}</h2>"
    answers = [room.ask(target["query"], START, STOP) for target in panel["targets"]]
    box = Box(width, height - HEAD, page["line"], room.at(START) / 1000, room.at(STOP) / 1000)
    inner = DRAW[panel["type"]](panel, answers, box) if any(map(len, answers)) else ""
    nothing = escape(panel["fieldConfig"]["defaults"].get("noValue", ""))
    return (
        f"<div class='p' style='left:{left}px;top:{top}px;width:{width}px;height:{height}px'>"
        f"<h2>{escape(title)}</h2>{inner or f'<div class=n>{nothing}</div>'}</div>"
    )


if __name__ == "__main__":
    sys.exit(main())

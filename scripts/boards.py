"""Take the pictures of Grafana's boards for the docs: riverton's storm, as each panel's own queries tell it.

In:  cities/riverton, InfluxDB, Chromium. Out: docs/pictures/board-*.png, each under 400 kB.
This is **not Grafana**, which no registry has: it lays panels out as the board's JSON says, asks their
queries of a real InfluxDB, and draws the answers plainly, with the board's own colours, words and units.
"""

import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from grafana import files
from scripts.drawing import DRAW, Box
from scripts.pictures import BYTES_MAX, PICTURES, chromium
from tests.grafana.room import Room
from tests.servers import Influxd, free_ports

COLUMN, ROW, GAP, HEAD = 60, 34, 8, 30
START, STOP = "05:00", "11:00"
PAGES = {
    "dark": {"page": "#111217", "panel": "#181b1f", "ink": "#ccccdc", "line": "#2c3235"},
    "light": {"page": "#f4f5f5", "panel": "#ffffff", "ink": "#24292e", "line": "#dcdfe4"},
}
SHOTS = {
    "city": ("dark", 42),
    "storm": ("light", 37),
    "asset": ("light", 22),
    "incident": ("dark", 44),
    "load": ("light", 27),
}
"""Boards, each with its page and how many rows of it are shown."""


def main() -> int:
    """Take them; 0 where all are small enough."""
    with tempfile.TemporaryDirectory(prefix="crosscurrent-boards-") as name:
        folder = Path(name)
        with Influxd(folder, free_ports(1)[0]) as server, chromium() as browser:
            room = Room(server.address, folder).furnish()
            boards = files.boards(room.city)
            for board, (scheme, rows) in SHOTS.items():
                page = browser.new_page(viewport={"width": 24 * COLUMN + 2 * GAP, "height": rows * ROW + 50})
                page.set_content(drawn(room, boards[board], PAGES[scheme], rows))
                page.screenshot(path=PICTURES / f"board-{board}.png")
                page.close()
    too_big = [path.name for path in PICTURES.glob("board-*.png") if path.stat().st_size > BYTES_MAX]
    for name in too_big:
        sys.stderr.write(f"{name} is larger than {BYTES_MAX} bytes\n")
    return 1 if too_big else 0


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

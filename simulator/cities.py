"""Where cities and scenarios lie: those that we ship, and those of the user."""

from pathlib import Path

from schemas.errors import BadConfig, CrosscurrentError
from schemas.wording import nearest
from simulator.physics import Town, load_town
from simulator.scenario import Scenario, check, read_scenario

SHIPPED = Path(__file__).resolve().parent.parent / "cities"
"""The folder of the cities that come with us."""


class NoSuchScenario(CrosscurrentError):
    """There is no such file, and no scenario of that name is shipped."""


def shipped_scenario(name: Path) -> Path:
    """The file of ``riverton/storm-day``. Raises NoSuchScenario with what there is."""
    there = {
        f"{file.parent.parent.name}/{file.stem}": file for file in sorted(SHIPPED.glob("*/scenarios/*.yaml"))
    }
    found = there.get(str(name))
    if found is None:
        known = ", ".join(there) or "none"
        raise NoSuchScenario(
            f"there is no file {name}, and no scenario of that name is shipped"
            f"{nearest(str(name), there)}; shipped are: {known}"
        )
    return found


def open_scenario(path: Path) -> tuple[Town, Scenario]:
    """A scenario and its city: a folder beside it, or a shipped one. Raises BadConfig with every fault."""
    scenario, document = read_scenario(path)
    beside = path.parent / scenario.city
    folder = beside if (beside / "city.yaml").is_file() else SHIPPED / scenario.city
    if not (folder / "physics").is_dir():
        simulated = sorted(one.parent.name for one in SHIPPED.glob("*/physics"))
        message = (
            f"there is no simulated city {scenario.city!r}{nearest(scenario.city, simulated)}; "
            f"expected a folder beside this file, or one of {', '.join(simulated)}"
        )
        raise BadConfig((document.fault(("city",), message),))
    town = load_town(folder)
    check(scenario, town.city, document)
    return town, scenario

"""Which days a benchmark has: those of folders, or those of a suite that the simulator makes.

In:  folders; or a suite and its seed.
Out: tasks, in the order in which the report shows them.
"""

from collections.abc import Sequence
from pathlib import Path

from runner.bench.day import CITY, LABELS, Entrant, Task, digest, recording_of
from runner.extras import needs
from runner.labels import BadInput

HERE = Path(__file__).parents[2]
"""The folder that holds our packages."""
THINKING = ("schemas", "collectors", "streams", "alerts", "runner")
"""What a result depends on besides its day."""
MAKING = ("schemas", "simulator", "cities")
"""What a made day depends on besides its suite and seed."""


def of_folders(folders: Sequence[Path], work: Path, entrants: tuple[Entrant, ...] = ()) -> list[Task]:
    """The days that lie in folders: ``city.yaml``, and ``NAME.jsonl[.gz|.zst]`` with ``NAME.labels.json``.

    Raises BadInput for a folder without any, and for two days of one name.
    """
    code = code_digest(THINKING)
    tasks: dict[str, Task] = {}
    for given in folders:
        folder = given.resolve()
        names = sorted(path.name.removesuffix(LABELS) for path in folder.glob(f"*{LABELS}"))
        whole = [name for name in names if recording_of(folder, name)]
        if not whole:
            raise BadInput(
                f"{given}: no day lies here; expected {CITY}, and beside it NAME.jsonl (.gz, .zst) with "
                f"NAME{LABELS}; nothing was replayed"
            )
        for name in whole:
            task = Task(
                folder.name, name, folder, work / "results" / folder.name / name, code, None, entrants
            )
            if task.title in tasks:
                raise BadInput(
                    f"{given}: there are two days {task.title}; expected folders of different names; "
                    "nothing was replayed"
                )
            tasks[task.title] = task
    return list(tasks.values())


def of_suite(suite: str, seed: int, work: Path, entrants: tuple[Entrant, ...] = ()) -> list[Task]:
    """The days of a suite; each is made by its worker below ``work``, unless it lies there already.

    Raises a CrosscurrentError for an unknown suite, or where the simulator is not installed.
    """
    with needs("simulate"):
        from simulator.suite import days

    code = code_digest(THINKING)
    made = work / "days" / f"{suite}-{seed}-{code_digest(MAKING)[:12]}"
    return [
        Task(day.city, day.name, made / day.city, work / "results" / day.city / day.name, code, day, entrants)
        for day in days(suite, seed)
    ]


def in_good_order(tasks: Sequence[Task]) -> list[Task]:
    """The order to work in: one day of each city first, because the first one of a city may have to make
    the city, and others of it would wait for that.
    """
    first = {task.city: task for task in reversed(tasks)}
    return sorted(tasks, key=lambda task: first[task.city] is not task)


def code_digest(folders: Sequence[str]) -> str:
    """One digest of all that lies in these folders of ours."""
    return digest(HERE / folder for folder in folders)

"""The command line: finds the verb, runs it, turns errors into one clear word and an exit status.

In:  the arguments after ``crosscurrent``.
Out: the verb's own output, and an exit status of the table below.
Promises: only the named verb is imported (``crosscurrent check`` never loads the console); an error that
we or the machine foresaw never shows a traceback; a reader who leaves early (``| head``) is no error.
"""

import argparse
import difflib
import importlib
import os
import select
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from runner import VERSION
from runner.logs import as_asked
from runner.moments import BadUsage
from schemas.errors import BadConfig, CrosscurrentError

VERBS = (
    "check",
    "import",
    "record",
    "play",
    "up",
    "demo",
    "archive",
    "replay",
    "diff",
    "tune",
    "certify",
    "score",
    "fit",
    "test",
    "alerts",
    "report",
    "simulate",
    "commission",
    "generate",
    "bench",
    "topics",
    "collect",
    "stream",
    "alert",
    "console",
    "influx",
    "sink",
    "dlq",
    "ledger",
    "grafana",
)
"""Every verb, in the order in which help shows them; each is the file ``runner/verbs/NAME.py``."""

STATUSES = {
    0: "done",
    1: "ran, and the answer is no: check found faults, a story does not hold, "
    "the demo did not truly run, a day of a benchmark gave no result, topics differ from the table, "
    "the ledger has gaps, two versions differ, a replay told something else, a letter can't be sent again, "
    "nothing is known of the incident, Grafana or its files differ",
    2: "wrong usage, or a configuration or input that can't be used",
    3: "the machine is in the way: port taken, disk full, data folder in use, broker, Kafka, InfluxDB "
    "or Grafana out of reach",
    130: "stopped by Ctrl-C",
    141: "whoever read the output closed it early",
}
"""Exit statuses and their meanings."""

UNUSABLE_INPUT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class Verb(Protocol):
    """What a file in ``runner/verbs`` offers."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit status. Raises CrosscurrentError or OSError."""
        ...


def main(argv: Sequence[str] | None = None, console: str = "console.app") -> int:
    """Run the verb that ``argv`` names (the process's own arguments by default); the exit status.

    ``console`` is the dotted name of the module whose ``serve`` shows the web page: it is handed down,
    because the runner must not import the console.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    try:
        with as_asked(name):
            return _run(name, arguments, console)
    except BadUsage as error:
        return _report(name, error)


def _run(name: str, arguments: list[str], console: str) -> int:
    try:
        status = _verb(name, arguments[1:], console) if name in VERBS else _top(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError as error:
        return 141 if _reader_left() else _report(name, error)
    except (CrosscurrentError, OSError) as error:
        return _report(name, error)
    return status


def _verb(name: str, arguments: Sequence[str], console: str) -> int:
    verb = _load(name)
    parser = argparse.ArgumentParser(
        prog=f"crosscurrent {name}",
        description=verb.SUMMARY,
        epilog="'crosscurrent --help' lists the exit statuses.",
        allow_abbrev=False,
    )
    verb.add_arguments(parser)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as leaving:  # --help, or wrong usage, which argparse has explained
        return leaving.code if isinstance(leaving.code, int) else 2
    args.console = console
    return verb.run(args)


def _load(name: str) -> Verb:
    return cast(Verb, importlib.import_module(f"runner.verbs.{name}"))


def _top(arguments: Sequence[str]) -> int:
    """Everything that is no verb: help, the version, and mistakes."""
    first = arguments[0] if arguments else ""
    if first in {"-h", "--help", "help"}:
        print(_help())
        return 0
    if first in {"-V", "--version"}:
        print(f"crosscurrent {VERSION}")
        return 0
    if not first:
        print(_help(), file=sys.stderr)
        return 2
    near = difflib.get_close_matches(first, VERBS, cutoff=0.6)
    meant = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(VERBS)}"
    print(
        f"crosscurrent: there is no verb {first!r}; {meant} ('crosscurrent --help' tells more)",
        file=sys.stderr,
    )
    return 2


def _help() -> str:
    verbs = "\n".join(f"  {name:<8} {_load(name).SUMMARY}" for name in VERBS)
    statuses = "\n".join(f"  {status:<8} {meaning}" for status, meaning in STATUSES.items())
    return (
        "usage: crosscurrent VERB [ARGUMENTS] | --help | --version\n\n"
        "Watches a city's utilities in one stream and says which alarms are one incident, and why.\n\n"
        f"verbs:\n{verbs}\n\nexit statuses:\n{statuses}"
    )


def _report(name: str, error: Exception) -> int:
    """Tell the error on stderr; the exit status that it means."""
    if isinstance(error, BadConfig):
        print(f"crosscurrent {name}: nothing was started, the configuration has faults:", file=sys.stderr)
        print(error, file=sys.stderr)
        return 2
    print(f"crosscurrent {name}: {error}", file=sys.stderr)
    if isinstance(error, OSError):
        return 2 if isinstance(error, UNUSABLE_INPUT) else 3
    return 2


def _reader_left() -> bool:
    """Whether it is our own stdout that broke; if so, what is left to print goes nowhere."""
    stdout = sys.stdout.fileno()
    poll = select.poll()
    poll.register(stdout, select.POLLOUT)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
    return True

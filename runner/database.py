"""One SQLite file of a data folder, and the lock on the folder.

In:  a folder, the name of a file in it, its tables.
Out: connections: one that writes, others that only read.
Promises: a write happens wholly or not at all; a file of another version of ours is refused untouched;
one process at a time owns a folder, and a kill frees it; what the machine refuses (disk full, read-only,
damaged) is a ``CannotRun`` that names the folder.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from schemas.errors import CrosscurrentError


class CannotRun(CrosscurrentError, OSError):
    """The machine stands in the way (port taken, disk full, folder in use): exit status 3."""


class FolderLock:
    """Ownership of one data folder until ``release``; the kernel frees it when the process dies.

    The file ``lock`` holds the owner's pid, and nothing after a clean end. ``unclean`` says that the
    last owner did not end cleanly. Raises CannotRun where another process owns the folder, or the
    folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise CannotRun(
                f"data folder {folder} can't be written ({error.strerror}); "
                "give another one with --data, or make this one writable"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._file, 32).decode() or "unknown"
            os.close(self._file)
            raise CannotRun(
                f"data folder {folder} is in use by process {owner}; "
                "stop that one first, or give another folder with --data"
            ) from error
        self.unclean = bool(os.read(self._file, 32))
        self._write(str(os.getpid()))

    def release(self, *, clean: bool = True) -> None:
        """Give the folder free; after a clean end nobody needs to look for damage."""
        if clean:
            self._write("")
        os.close(self._file)

    def _write(self, text: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)


def open_writer(path: Path, tables: str, version: int, *, durable: bool, check: bool) -> sqlite3.Connection:
    """The one connection that writes ``path``; creates its ``tables`` where the file is new.

    ``durable`` waits for the disk at every commit (power loss loses nothing committed); without it a
    power loss may take the newest commits, a killed process none. ``check`` looks for damage first.
    Raises CannotRun for a damaged file, one of another version, and what the machine refuses.
    """
    with machine_errors(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA journal_size_limit = 16777216")
            if check:
                _refuse_damage(connection, path)
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found not in (0, version):
                raise CannotRun(
                    f"{path} has data version {found}, this Crosscurrent reads version {version}; nothing "
                    "was changed. Use the Crosscurrent that wrote it, or give another folder with --data"
                )
            if found == 0:
                with transaction(connection):
                    for statement in filter(str.strip, tables.split(";")):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {version}")
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read; sees each commit whole."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All that is written inside is committed at the end, or none of it where anything is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back already on a full disk; a second ROLLBACK would hide the first error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def machine_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the machine into one clear CannotRun."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise CannotRun(
            f"{path} can't be used: {error}. Nothing was half written; what was acknowledged is kept. "
            "Free the disk or repair the folder and start again"
        ) from error


def _refuse_damage(connection: sqlite3.Connection, path: Path) -> None:
    with closing(connection.execute("PRAGMA quick_check(1)")) as cursor:
        (verdict,) = cursor.fetchone()
    if verdict != "ok":
        raise CannotRun(
            f"{path} is damaged ({verdict}); move the folder aside and start with a new one, "
            "or restore it from a backup"
        )

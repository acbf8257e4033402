"""Where an archive lies: a folder, or any address that fsspec knows (``s3://...`` with s3fs installed).

In:  paths below the address, bytes.
Out: bytes, names.
Promises: a file is there whole or not at all. Raises OSError where the place can't be used.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from schemas.errors import CrosscurrentError


class BadArchive(CrosscurrentError):
    """An address that is none, or an archive that can't be used."""


class Place:
    """The files below one address. Raises BadArchive where nothing can be reached under it."""

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._files: Any
            self._files, self._root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise BadArchive(
                f"{address}: no place for an archive ({error}); expected a folder, or an address of which "
                "fsspec knows the protocol"
            ) from error

    def put(self, name: str, content: bytes) -> None:
        """Write a file, over one that is there."""
        path = self._path(name)
        if not isinstance(self._files, LocalFileSystem):
            self._files.pipe_file(path, content)  # stores of objects show an object when it is whole
            return
        there = Path(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        part = there.with_name(f".{there.name}.part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(there)
        folder = os.open(there.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def get(self, name: str) -> bytes:
        """A file's content. Raises FileNotFoundError."""
        content: bytes = self._files.cat_file(self._path(name))
        return content

    def names(self, folder: str) -> Iterator[str]:
        """The files below a folder, sorted; none where there is no such folder."""
        self._files.invalidate_cache()
        root = self._path("").rstrip("/") + "/"
        for found in sorted(self._files.find(self._path(folder))):
            name = str(found).removeprefix(root)
            if not name.rpartition("/")[2].startswith("."):  # written when we were killed
                yield name

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self._files.exists(self._path(name)):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else str(self._root)

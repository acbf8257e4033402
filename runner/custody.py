"""Taking messages into custody: many a commit, in order, bounded.

In:  messages of any number of connections of one event loop, each waiting for its own commit.
Out: batches to a ``store`` function, which returns when a batch is on the disk.
Promises: messages are stored in the order given; a waiter goes on only after the commit that holds its
message; beyond the bounds nobody is read from, so that senders wait and memory does not grow.

While one batch is being written the next one gathers, so that one sender with many messages in flight,
or many senders, share the wait for the disk.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from collectors.messages import Message

Store = Callable[[list[Message]], None]
"""Returns when the batch is on the disk; raises where it can't be, and then none of it is."""


class Custody:
    """The queue between the connections and the log. Use it from its event loop only."""

    def __init__(self, store: Store, *, messages_max: int, bytes_max: int) -> None:
        self._store = store
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._gathering: list[tuple[Message, asyncio.Future[None]]] = []
        self._bytes = 0
        self._writing = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._open = True

    @property
    def waiting(self) -> int:
        """Messages that are not stored yet."""
        return len(self._gathering) + self._writing

    def take(self, message: Message) -> asyncio.Future[None]:
        """Take a message; the future is done when it is on the disk, cancelled if it never will be."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathering.append((message, done))
        self._bytes += len(message.payload)
        self._some.set()
        if self.waiting >= self._messages_max or self._bytes >= self._bytes_max:
            self._room.clear()
        return done

    async def room(self) -> None:
        """Wait until another message may be read; for ever after ``close``."""
        await self._room.wait()

    def close(self) -> None:
        """Let nobody read any more; ``run`` ends when what was taken is stored."""
        self._open = False
        self._room.clear()
        self._some.set()

    async def run(self) -> None:
        """Store what is taken, batch by batch, until ``close``. Raises what ``store`` raises."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "log writer") as writer:
            while self._open or self._gathering:
                await self._some.wait()
                batch, self._gathering = self._gathering, []
                self._some.clear()
                self._writing = len(batch)
                try:
                    await loop.run_in_executor(writer, self._store, [message for message, _ in batch])
                except BaseException:
                    self._refuse([*batch, *self._gathering])
                    raise
                self._writing = 0
                self._bytes -= sum(len(message.payload) for message, _ in batch)
                for _, done in batch:
                    if not done.cancelled():  # its connection has gone; the message is stored all the same
                        done.set_result(None)
                if self._open:
                    self._room.set()

    def _refuse(self, batch: list[tuple[Message, asyncio.Future[None]]]) -> None:
        """Nobody gets an acknowledgement, and nobody is read from."""
        self.close()
        for _, done in batch:
            done.cancel()

"""The embedded broker: kombu's file system transport, made safe for processes that start and write at once.

kombu's own writes a message and a binding in place. Of four processes starting on a fresh folder, one in sixteen read
an empty binding and died. Here everything appears whole, by a rename. What is lost with a killed worker, the sweeper
finds again: the truth is in the database.
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **_kwargs: object) -> None:  # type: ignore[override]
        """Named by the wall clock: a clock that starts anew at boot would hand out the oldest last."""
        _appear(Path(self.data_folder_out, f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg"), dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:  # noqa: ARG002
        """The oldest message, or Empty at once. Of two that read the same one, who removes it has it."""
        folder = Path(self.data_folder_in)
        for name in sorted(os.listdir(folder)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            try:
                payload = (folder / name).read_text()
                (folder / name).unlink()
            except FileNotFoundError:
                continue
            return loads(payload)
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str) -> None:
        bound = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._bindings():
            table = self.get_table(exchange)
            if bound not in table:
                _appear(self._table_file(exchange), dumps([bound, *table]))

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_args: object) -> None:
        bound = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._purge(queue)
        with self._bindings():
            table = self.get_table(exchange)
            if bound in table:
                _appear(self._table_file(exchange), dumps([other for other in table if other != bound]))

    def _table_file(self, exchange: str) -> Path:
        """Only for an exchange whose table was read before: reading refuses a name that leaves the folder."""
        return Path(self.control_folder, f"{exchange}.exchange")

    @contextmanager
    def _bindings(self) -> Iterator[None]:
        """One process at a time reads a table and writes it back."""
        with Path(self.control_folder, "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel


def _appear(path: Path, text: str) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(f".{uuid.uuid4()}")
    unfinished.write_text(text)
    unfinished.rename(path)

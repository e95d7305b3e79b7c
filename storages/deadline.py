"""An answer in time, or none. A mount whose server died blocks whoever asks it, for ever and beyond any signal."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from storages.stores.errors import StoreAway

Answer = TypeVar("Answer")
_waiting: dict[Hashable, threading.Thread] = {}
_lock = threading.Lock()


class _Asked(threading.Thread, Generic[Answer]):
    """A thread that keeps what its work gave or raised."""

    def __init__(self, work: Callable[[], Answer]) -> None:
        super().__init__(daemon=True, name="asks a store")
        self._work = work
        self.answers: list[Answer] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.answers.append(self._work())
        except BaseException as error:  # noqa: BLE001  handed to who asked
            self.error = error


def within(seconds: float, work: Callable[[], Answer], *, about: Hashable) -> Answer:
    """What `work` gives or raises; StoreAway if that takes longer.

    Who is not answered leaves a thread behind. So nobody else asks `about` the same while one still waits: what hangs
    costs each process one thread, however often it is asked.
    """
    with _lock:
        stuck = _waiting.get(about)
        if stuck is not None and stuck.is_alive():
            raise StoreAway("It still does not answer an earlier question: look at the mount or at the network.")
        _waiting.pop(about, None)
    asked = _Asked(work)
    asked.start()
    asked.join(seconds)
    if asked.is_alive():
        with _lock:
            _waiting[about] = asked
        raise StoreAway(f"No answer within {seconds:g} seconds: look at the mount, the network and the endpoint.")
    if asked.error is not None:
        raise asked.error
    return asked.answers[0]

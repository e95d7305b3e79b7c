"""Sleeping until something happens: an event, a signal, or the time."""

import os
import select


class Waker:
    """`wake` and `stop` may be called from other threads and from signal handlers.

    A pipe, not a threading.Event: a signal that arrives while the main thread holds the Event's own lock would wait
    for that lock for ever.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False

    def wake(self) -> None:
        try:
            os.write(self._write, b".")
        except OSError:
            pass  # The pipe is full, so somebody is about to wake up; or it is closed, and nobody sleeps any more.

    def stop(self) -> None:
        self._stopping = True
        self.wake()

    def stopping(self) -> bool:
        return self._stopping

    def sleep(self, seconds: float) -> None:
        """Until woken, at most so long."""
        if self._stopping:
            return
        select.select([self._read], [], [], max(seconds, 0))
        try:
            os.read(self._read, 65_536)
        except BlockingIOError:
            pass

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)

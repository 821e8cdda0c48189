"""gunicorn's threads, staying a moment with whoever asks again (`--worker-class deploy.keeping.KeepingWorker`)."""

from select import POLLIN, poll
from time import sleep
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

AGAIN_MS = 5
"""How long a thread waits for the next request; longer would keep it from others for nothing."""
TURNS = 100
"""Requests in a row from one connection, after which it waits for a thread like all others."""

YIELD_SECONDS = 0.000_25
"""What a process waits for each connection it serves (eight at most) before it takes another."""


class KeepingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A connection goes back to the process's one poller only when its client rests.

    Going there and back for each request wakes two threads that want one interpreter.
    """

    def accept(self, listener: Any) -> None:
        """Take a new connection, unless another process that serves fewer was there first.

        A client keeps its connections for long: those that came together would else stay with whoever woke first.
        """
        serving = self.nr_conns - len(self.keepalived_conns)
        sleep(min(serving, 8) * YIELD_SECONDS)
        super().accept(listener)

    def handle(self, conn: Any) -> Any:
        """Serve what the connection asks within a moment of the last answer; then what gunicorn answers for one."""
        kept = super().handle(conn)
        for _ in range(TURNS):
            if kept is not True or not self.alive or not _asks_again(conn):
                break
            kept = super().handle(conn)
        return kept


def _asks_again(conn: Any) -> bool:
    if conn.is_http2:
        return False
    if conn.parser.unreader.buf.getvalue():
        return True
    waiting = poll()
    waiting.register(conn.sock, POLLIN)
    return bool(waiting.poll(AGAIN_MS))

"""The web processes' threads: busy connections keep theirs, and new ones go to the process that serves fewest."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.keeping import TURNS

APPLICATION = """
import os
def application(environ, start):
    body = environ["wsgi.input"].read()
    answer = f"{os.getpid()} {environ['PATH_INFO']} {len(body)}".encode()
    start("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """gunicorn as the product starts it, over an application that says which process answers."""
    home = tmp_path_factory.mktemp("keeping")
    (home / "answers.py").write_text(APPLICATION)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "answers:application", "--bind", f"127.0.0.1:{number}"]
    command += ["--worker-class", "deploy.keeping.KeepingWorker", "--workers", "2", "--threads", "8"]
    command += ["--keep-alive", "20"]
    roots = os.pathsep.join([str(home), str(Path(__file__).parents[3])])
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": roots}, stderr=subprocess.DEVNULL) as server:
        _wait(number)
        yield number
        server.send_signal(signal.SIGTERM)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with closing(socket.socket()) as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the server does not answer")


def _ask(connection: http.client.HTTPConnection, path: str, body: bytes = b"") -> tuple[str, str]:
    connection.request("POST", path, body)
    pid, said, length = connection.getresponse().read().decode().split()
    assert int(length) == len(body)
    return pid, said


def test_a_connection_is_served_beyond_its_turns_and_after_a_rest(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        answers = [_ask(connection, f"/{number}", b"x" * number) for number in range(2 * TURNS)]
        assert [path for _, path in answers] == [f"/{number}" for number in range(2 * TURNS)]
        time.sleep(0.1)
        assert _ask(connection, "/rested")[1] == "/rested"


def test_requests_sent_before_their_answers_are_answered_in_order(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        connection.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(5)))
        read = b""
        while read.count(b"HTTP/1.1 200") < 5 or not read.endswith(b"/4 0"):
            read += connection.recv(65_536)
    assert [number for number in range(5) if b" /%d 0" % number in read] == list(range(5))


def test_more_connections_than_threads_are_all_served(port: int) -> None:
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(40)]
    for turn in range(3):
        for connection in connections:
            assert _ask(connection, f"/{turn}")[1] == f"/{turn}"
    for connection in connections:
        connection.close()


def test_connections_that_come_together_are_shared_by_the_processes(port: int) -> None:
    """Eight that keep asking, twenty times; left to chance, some would be six to two."""
    shares = list[int]()
    for _ in range(20):
        connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(8)]
        for connection in connections:
            connection.connect()
        pids = [_ask(connection, "/")[0] for connection in connections]
        shares.append(max(pids.count(pid) for pid in pids))
        for connection in connections:
            connection.close()
    assert sum(shares) / len(shares) < 6

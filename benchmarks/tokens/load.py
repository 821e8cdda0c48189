"""A load of prepared requests over kept connections: plain sockets, so that the client costs as little as it can."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load came to: answers by status, requests a second, latencies and processor time in ms."""

    statuses: dict[int, int]
    per_second: float
    median_ms: float
    p99_ms: float
    cpu_ms: float
    """User and system time of the server's processes for each request."""


def request_bytes(url: str, body: str, headers: dict[str, str]) -> bytes:
    """A form post as it goes over the wire."""
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/x-www-form-urlencoded"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items()), "", body]
    return "\r\n".join(lines).encode()


def drive(url: str, requests: Sequence[bytes], connections: int, server: Sequence[psutil.Process]) -> Outcome:
    """Send every request once, `connections` at a time, and account for the server's processor time meanwhile."""
    before, started = _cpu(server), time.perf_counter()
    answers = asyncio.run(_drive(urlsplit(url).hostname or "", urlsplit(url).port or 80, requests, connections))
    wall, spent = time.perf_counter() - started, _cpu(server) - before
    latencies = sorted(latency for _, latency in answers)
    return Outcome(
        statuses=dict(Counter(status for status, _ in answers)),
        per_second=len(answers) / wall,
        median_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        cpu_ms=spent / len(answers) * 1000,
    )


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


async def _drive(host: str, port: int, requests: Sequence[bytes], connections: int) -> list[tuple[int, float]]:
    queue = list(reversed(requests))
    results: list[tuple[int, float]] = []
    await asyncio.gather(*(_one_connection(host, port, queue, results) for _ in range(connections)))
    return results


async def _one_connection(host: str, port: int, queue: list[bytes], results: list[tuple[int, float]]) -> None:
    reader = writer = None
    while queue:
        request = queue.pop()
        if writer is None or reader is None:
            reader, writer = await asyncio.open_connection(host, port)
        started = time.perf_counter()
        writer.write(request)
        status, closes = await _read(reader)
        results.append((status, time.perf_counter() - started))
        if closes:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    if "transfer-encoding: chunked" in head:
        while (size := int(await reader.readline(), 16)) or await reader.readline() != b"\r\n":
            await reader.readexactly(size + 2)
    else:
        length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        await reader.readexactly(length)
    return int(head.split()[1]), "connection: close" in head

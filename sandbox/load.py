"""Loads the population through the public API: tells every establishment to send, and watches until all have."""

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.files import read_json
from sandbox.layout import Layout
from sandbox.trust import trust

Json = dict[str, Any]
POLL = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """An establishment's control address."""

    renipress: str
    base_url: str


class Loader:
    """Talks to the establishments' record systems."""

    def __init__(self, layout: Layout) -> None:
        summary = read_json(layout.summary)
        self._places = [Place(e["renipress"], e["base_url"]) for e in summary["establishments"]]
        self._http = httpx.Client(
            verify=trust(), timeout=10, headers={"Authorization": f"Bearer {summary['control_token']}"}
        )

    def run(self, limit: float, stall: float) -> list[str]:
        """Send everything, printing a line of progress as JSON now and then; return what went wrong, if anything.

        Gives up after `limit` seconds, or `stall` seconds without any progress.
        """
        started = moved = time.monotonic()
        problems = self._start(started + min(limit, stall))
        done = -1
        while not problems:
            statuses = [self._status(place) for place in self._places]
            total = sum(s["pending"] + s["sent"] + s["error"] for s in statuses)
            finished = sum(s["sent"] + s["error"] for s in statuses)
            if finished != done:
                done, moved = finished, time.monotonic()
                print(json.dumps({"done": finished, "total": total}), flush=True)
            if finished == total:
                return self._reasons(statuses)
            if time.monotonic() - moved > stall or time.monotonic() - started > limit:
                return [f"gave up: {total - finished} of {total} not sent", *self._reasons(statuses)]
            time.sleep(POLL)
        return problems

    def _start(self, until: float) -> list[str]:
        """Tell all to send; a process still starting is waited for."""
        waiting = list(self._places)
        while waiting and time.monotonic() < until:
            waiting = [place for place in waiting if not self._tell(place)]
            if waiting:
                time.sleep(POLL)
        return [f"{place.renipress}: its record system does not answer at {place.base_url}" for place in waiting]

    def _tell(self, place: Place) -> bool:
        try:
            return self._http.post(f"{place.base_url}/sihce/send").is_success
        except httpx.HTTPError:
            return False

    def _status(self, place: Place) -> Json:
        """Return an establishment's counts; one that is being restarted counts as having everything to do."""
        try:
            answer: Json = self._http.get(f"{place.base_url}/sihce/status").raise_for_status().json()
        except httpx.HTTPError as error:
            reason = {"local_number": "-", "status": "PENDING", "reason": type(error).__name__}
            return {"pending": 1, "sent": 0, "error": 0, "problems": [reason]}
        return answer

    def _reasons(self, statuses: list[Json]) -> list[str]:
        return [
            f"{place.renipress} {problem['local_number']}: {problem['status']}: {problem['reason']}"
            for place, status in zip(self._places, statuses, strict=True)
            for problem in status["problems"]
        ]

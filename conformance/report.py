"""A report: the verdict over all lines, as JSON for programs."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conformance.lines import Part, Result, Status

FORMAT = "https://www.gob.pe/minsa/RENHICE/conformance/1"
VERSION = "1"
MAX_BYTES = 4 * 1024 * 1024
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One session against one candidate."""

    client_id: str
    fhir_base: str
    software: str
    parts: tuple[Part, ...]
    started_at: datetime
    finished_at: datetime
    latencies: Mapping[str, int]
    results: Sequence[Result]

    @property
    def verdict(self) -> str:
        """`failed` where a mandatory line does not hold, `incomplete` where one could not be tried, else `passed`."""
        mandatory = {result.finding.status for result in self.results if result.line.mandatory and not _moot(result)}
        if Status.FAILED in mandatory:
            return "failed"
        return "incomplete" if Status.SKIPPED in mandatory else "passed"

    def as_json(self, signer: Mapping[str, Any]) -> bytes:
        """What is signed, by the key whose public half is `signer`."""
        counts = Counter(str(result.finding.status) for result in self.results)
        content: Json = {
            "format": FORMAT,
            "kit": {"name": "renhice conformance", "version": VERSION},
            "subject": {"client_id": self.client_id, "fhir_base": self.fhir_base, "software": self.software},
            "scope": list(self.parts),
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "finished_at": self.finished_at.isoformat(timespec="seconds"),
            "verdict": self.verdict,
            "counts": {status: counts[status] for status in map(str, Status)},
            "latency_ms": dict(self.latencies),
            "lines": [_line(result) for result in self.results],
            "signer": dict(signer),
        }
        return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _moot(result: Result) -> bool:
    """A line about what this candidate does not use, such as TLS over loopback or traces it does not offer.

    Another line of the same section then is a warning, so that nobody overlooks it.
    """
    return result.finding.status is Status.SKIPPED and result.line.id.partition(".")[0] in {"tls", "audit"}


def _line(result: Result) -> Json:
    line, finding = result.line, result.finding
    return {
        "id": line.id,
        "section": result.section,
        "mandatory": line.mandatory,
        "status": str(finding.status),
        "asked": line.asked,
        "norm": line.norm,
        "expected": line.expected,
        "seen": finding.seen,
        "mend": line.mend,
    }

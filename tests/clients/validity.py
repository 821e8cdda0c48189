"""FHIR resources held against a validator nobody of this project wrote."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from werkzeug.test import TestResponse

from tests.clients.conftest import HERE

Json = dict[str, Any]


class Walk:
    """Every FHIR answer of a walk through the API, by what was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Json]] = []

    def keep(self, answer: TestResponse, status: int) -> Any:
        """Note an answer that must have that status and be FHIR; its body."""
        request = answer.request
        assert answer.status_code == status, f"{request.method} {request.path}: {answer.text}"
        assert answer.mimetype == "application/fhir+json"
        self.answers.append((f"{request.method} {request.path}", answer.json))
        return answer.json

    def keep_lines(self, answer: TestResponse) -> None:
        """Note each line of an NDJSON file."""
        assert (answer.status_code, answer.mimetype) == (200, "application/fhir+ndjson")
        asked = f"{answer.request.method} {answer.request.path}"
        self.answers += [(asked, json.loads(line)) for line in answer.text.splitlines()]

    @property
    def types(self) -> set[str]:
        """Every resource type among the answers, those within Bundles and Parameters too."""
        return {one["resourceType"] for _, body in self.answers for one in resources(body)}

    def faults(self, node: str) -> dict[str, list[str]]:
        """What the validator finds wrong, by what was asked."""
        found = validate(node, [body for _, body in self.answers])
        return {asked: issues for (asked, _), issues in zip(self.answers, found, strict=True) if issues}


def validate(node: str, bodies: Sequence[Json]) -> list[list[str]]:
    """The issues of each resource."""
    done = subprocess.run(
        [node, str(HERE / "valid_fhir.mjs")],
        input=json.dumps(bodies),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[list[str]] = json.loads(done.stdout)
    return found


def resources(value: Any) -> Iterator[Json]:
    """The resources in a body, itself first."""
    if isinstance(value, dict):
        if "resourceType" in value:
            yield value
        for inner in value.values():
            yield from resources(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from resources(inner)

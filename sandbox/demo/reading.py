"""What the steps read in answers, put into the words of the story."""

from collections.abc import Iterator
from typing import Any

from sandbox.demo.browser import Page

Json = dict[str, Any]


def values_of(parameters: Json, key: str) -> Iterator[Json]:
    """The values of one kind among the parameters."""
    return (p[key] for p in parameters.get("parameter", []) if key in p)


def full_name(patient: Json) -> str:
    """A patient in words, given names first."""
    first = patient["name"][0]
    mothers = [e["valueString"] for e in first.get("_family", {}).get("extension", []) if "mothers" in e["url"]]
    return " ".join([*first["given"], first["family"], *mothers])


def csv_link(page: Page) -> str:
    """The page's link to a CSV; empty when it has none."""
    return next((link for link in page.links if link.endswith(".csv")), "")


def line_of(resource: Json) -> str:
    """A resource in a line: what, when and from where."""
    concept = resource.get("code") or resource.get("medicationCodeableConcept") or resource.get("serviceType") or {}
    when = resource.get("recordedDate") or next(iter(begins(resource)), "")
    return f"{resource['resourceType']}: {concept.get('text', '')} ({when[:10]}) from {resource['meta']['source']}"


def begins(resource: Json) -> Iterator[str]:
    """When what it tells of began."""
    return (resource[key]["start"] for key in ("effectivePeriod", "period") if key in resource)


def diagnosis(outcome: Json) -> str:
    """Why something was refused, as the outcome says it."""
    issue = outcome["issue"][0]
    return str(issue.get("details", {}).get("text") or issue.get("diagnostics", ""))

"""The versions of a resource as a Bundle of type history (FHIR R4 http §3.1.0.12)."""

from collections.abc import Sequence

from registry.fhir.wire import Json


def history_bundle(base: str, versions: Sequence[Json]) -> Json:
    """The versions given, newest first, as what made each; `base` is the address of their type."""
    entries = [_entry(base, one) for one in versions]
    return {"resourceType": "Bundle", "type": "history", "total": len(entries), "entry": entries}


def _entry(base: str, version: Json) -> Json:
    number = version["meta"]["versionId"]
    name = f"{version['resourceType']}/{version['id']}"
    made = {"method": "POST", "url": version["resourceType"]} if number == "1" else {"method": "PUT", "url": name}
    response = {
        "status": "201" if number == "1" else "200",
        "etag": f'W/"{number}"',
        "lastModified": version["meta"]["lastUpdated"],
    }
    return {"fullUrl": f"{base}/{version['id']}", "resource": version, "request": made, "response": response}

"""The Provenance of a version of a source record: the establishment that said it, when, and what it did; pure."""

from registry.fhir.wire import Json
from registry.identity.records import OwnRecord

HL7 = "http://terminology.hl7.org/CodeSystem"


def version_provenance(own: OwnRecord) -> Json:
    """Who said this version of a record."""
    member = own.member
    moment = member.received_at.isoformat(timespec="milliseconds")
    return {
        "resourceType": "Provenance",
        "id": f"{member.record_id}.{member.version}",
        "meta": {"versionId": "1", "lastUpdated": moment},
        "target": [{"reference": f"Patient/{member.record_id}/_history/{member.version}"}],
        "recorded": moment,
        "activity": {
            "coding": [{"system": f"{HL7}/v3-DataOperation", "code": "CREATE" if member.version == 1 else "UPDATE"}]
        },
        "agent": [
            {
                "type": {"coding": [{"system": f"{HL7}/provenance-participant-type", "code": "author"}]},
                "who": {"reference": f"Organization/{member.establishment_id}"},
            }
        ],
    }

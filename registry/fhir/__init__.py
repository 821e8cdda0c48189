"""The FHIR R4 edge."""

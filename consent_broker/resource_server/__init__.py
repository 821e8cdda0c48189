"""The guard an establishment puts in front of its own FHIR server."""

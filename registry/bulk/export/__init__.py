"""Exports (FHIR Bulk Data Access 2.0): an establishment's own records and whom each is about, as files."""

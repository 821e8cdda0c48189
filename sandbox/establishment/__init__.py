"""One establishment: a FHIR server over its own records, and the record system that feeds the registry."""

"""The index: who a person is, where the records are."""

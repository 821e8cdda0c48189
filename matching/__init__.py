"""Matching engine: pure functions over typed records; no web, no database, no clock."""

"""Establishments, record systems, professionals and staff roles."""

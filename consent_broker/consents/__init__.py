"""Consent directives and the decision function."""

"""Aggregate figures and disclosure control."""

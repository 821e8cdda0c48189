"""Append-only account of every access and every change."""

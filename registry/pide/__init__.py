"""Ports to the State's interoperability platform (PIDE)."""

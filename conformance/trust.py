"""Whose certificates the kit believes."""

import ssl


def trust(ca: str | None) -> ssl.SSLContext:
    """The system's authorities, and those of a file where one is given; raises OSError for a file that is none."""
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cafile=ca)
    return context

"""What identity offers the other rooms."""

from registry.identity.arrivals import Registration
from registry.identity.contents import Content
from registry.identity.engine import Engine, engine_of
from registry.identity.registration import Outcome, VersionMismatch, register_source_record

__all__ = [
    "Content",
    "Engine",
    "Outcome",
    "Registration",
    "VersionMismatch",
    "engine_of",
    "register_source_record",
]

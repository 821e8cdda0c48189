"""The country's clock: days begin and end at midnight in Lima."""

from zoneinfo import ZoneInfo

LIMA = ZoneInfo("America/Lima")

"""The country's clock: days begin and end at midnight in Lima. And moments as others write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

LIMA = ZoneInfo("America/Lima")


def read_instant(text: str) -> datetime | None:
    """A moment in ISO 8601 with its time zone, in UTC; None for anything else.

    In UTC also because the database keeps moments that can't be read back: year 1 has less of them there than in Tonga.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None

"""Facts of persons for counting: no name, no number, no id; the key is a keyed hash that only this process can make."""

from datetime import datetime

from sqlalchemy import SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, now


class PersonFact(Base):
    """One person as statistics know one; `department` is the INEI code of the residence's ubigeo."""

    __tablename__ = "person_facts"

    person_key: Mapped[bytes] = mapped_column(primary_key=True)
    sex: Mapped[str | None] = mapped_column(String(1))
    birth_year: Mapped[int | None] = mapped_column(SmallInteger)
    department: Mapped[str | None] = mapped_column(String(2))
    establishments: Mapped[int] = mapped_column(SmallInteger)
    updated_at: Mapped[datetime] = mapped_column(default=now)

"""The locator's own table: links a person hides. What links there are follows from identity."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, now


class HiddenLink(Base):
    """A person does not want it known that an establishment holds records of them; who asked and how is a directive."""

    __tablename__ = "hidden_links"

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), primary_key=True)
    hidden_at: Mapped[datetime] = mapped_column(default=now)

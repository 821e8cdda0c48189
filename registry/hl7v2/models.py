"""Messages already answered, so that the same one delivered again has no second effect."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, now


class AnsweredMessage(Base):
    """The blind token of a message that was accepted: of its sender, its MSH-10 and all its bytes."""

    __tablename__ = "answered_messages"

    token: Mapped[bytes] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(default=now, index=True)

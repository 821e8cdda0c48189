"""An uploaded file, read back from its sealed parts."""

import hashlib
import io
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.bulk.models import ImportPart
from registry.bulk.service import part_context
from registry.sealing import DataKey, Sealer


class Stored(io.RawIOBase):
    """The file, read part by part; no more than one part is open in memory."""

    def __init__(self, session: Session, sealer: Sealer, import_id: UUID) -> None:
        self._session, self._sealer, self._import_id = session, sealer, import_id
        self._at, self._begin, self._part = 0, 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # io's signature
        if not self._begin <= self._at < self._begin + len(self._part) and not self._load():
            return 0
        found = self._part[self._at - self._begin :][: len(view)]
        view[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _load(self) -> bool:
        query = select(ImportPart.offset, ImportPart.sealed).where(ImportPart.import_id == self._import_id)
        last = query.where(ImportPart.offset <= self._at).order_by(ImportPart.offset.desc()).limit(1)
        row = self._session.execute(last).one_or_none()
        key = self._session.get(DataKey, self._import_id)
        if row is None or key is None:
            return False
        self._begin = row.offset
        self._part = self._sealer.unseal(key, row.sealed, part_context(row.offset))
        self._session.commit()
        return self._at < self._begin + len(self._part)


def hash_of(file: Stored) -> str:
    """The SHA-256 of what is left to read, in hexadecimal."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()

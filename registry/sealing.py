"""Sealing of personal data: AES-256-GCM under a data key per record, wrapped by a rotating master key.

A stolen database shows no name and no number. Search runs on blind tokens (keyed HMACs). Destroying a record's data key
ends every sealed version of it while its history stays.
"""

import os
import re
import secrets
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from sqlalchemy.orm import Mapped, Session, mapped_column

from registry.database import Base, new_id, now

NONCE_BYTES = 12
KEY_BYTES = 32
TOKEN_BYTES = 16
_MASTER = re.compile(r"master-\d{4,9}")


class SealError(Exception):
    """A sealed value can't be opened: destroyed or unknown key, or bytes that were altered or moved."""


class MasterKeys(Protocol):
    """Where master keys live: a directory of files here, a KMS in production."""

    @property
    def current(self) -> str:
        """The id of the master key that new data keys are wrapped under."""

    def wrap(self, data_key: bytes, owner: bytes) -> tuple[str, bytes]:
        """Encrypt a data key under the current master key; returns (master key id, wrapped key)."""

    def unwrap(self, master_key_id: str, wrapped: bytes, owner: bytes) -> bytes:
        """Decrypt a data key; raises SealError."""


@dataclass(frozen=True, slots=True)
class FileMasterKeys:
    """Master keys read from `master-*.key` files (base64, 32 bytes); the last name in order is current.

    A key added later is read when something sealed under it turns up, and becomes current at the next start: so it can
    be handed to every host before the first one uses it.
    """

    directory: Path
    keys: dict[str, bytes]
    current: str

    @classmethod
    def load(cls, directory: Path) -> "FileMasterKeys":
        """Read every master key of the directory; raises SealError when there is none."""
        keys = {path.stem: read_key(path) for path in sorted(directory.glob("master-*.key"))}
        if not keys:
            msg = f"no master key in {directory}; make one with: renhice keys init"
            raise SealError(msg)
        return cls(directory, keys, max(keys))

    def wrap(self, data_key: bytes, owner: bytes) -> tuple[str, bytes]:
        nonce = os.urandom(NONCE_BYTES)
        return self.current, nonce + _master_cipher(self.keys[self.current]).encrypt(nonce, data_key, owner)

    def unwrap(self, master_key_id: str, wrapped: bytes, owner: bytes) -> bytes:
        if master_key_id not in self.keys:
            self._read_late(master_key_id)
        return _decrypt(self.keys[master_key_id], wrapped, owner)

    def _read_late(self, master_key_id: str) -> None:
        path = self.directory / f"{master_key_id}.key"
        if not _MASTER.fullmatch(master_key_id) or not path.exists():
            msg = f"master key {master_key_id} is not in the key directory"
            raise SealError(msg)
        self.keys[master_key_id] = read_key(path)


class DataKey(Base):
    """The wrapped data key of one owner (a source record, a professional); deleting it ends what it sealed."""

    __tablename__ = "data_keys"

    owner_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    master_key_id: Mapped[str] = mapped_column(index=True)
    wrapped: Mapped[bytes]


class WrappedKey(NamedTuple):
    """A data key as it is kept, read without its object: a search opens many."""

    owner_id: UUID
    master_key_id: str
    wrapped: bytes


class RetiredMasterKey(Base):
    """A master key under which nothing may be wrapped any more; the database refuses it from every process."""

    __tablename__ = "retired_master_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    retired_at: Mapped[datetime] = mapped_column(default=now)


@dataclass(frozen=True, slots=True)
class SealedAnew:
    """Bytes sealed under a data key made for them, and that key, wrapped."""

    sealed: bytes
    master_key_id: str
    wrapped: bytes


class Sealer:
    """Seals, opens and blinds; holds the keys of this process."""

    def __init__(self, master: MasterKeys, blind_key: bytes) -> None:
        self._master = master
        self._blind_key = blind_key
        self._blinding = HMAC(blind_key, SHA256())

    def __reduce__(self) -> "tuple[type[Sealer], tuple[MasterKeys, bytes]]":
        """How it comes to a helper process: the keyed hash does not travel."""
        return Sealer, (self._master, self._blind_key)

    @classmethod
    def from_directory(cls, directory: Path) -> "Sealer":
        """The sealer of a key directory; raises SealError when keys are missing."""
        return cls(FileMasterKeys.load(directory), read_key(directory / "blind.key"))

    @property
    def current_master_key(self) -> str:
        """The id of the master key that new data keys are wrapped under."""
        return self._master.current

    def blind(self, domain: str, value: str) -> bytes:
        """A token for equality search: keyed, one way, different in each domain; 16 bytes."""
        return self.blinder(domain)(value)

    def blinder(self, domain: str) -> Callable[[str], bytes]:
        """`blind` in one domain, for many values: what comes before them is hashed once."""
        begun = self._blinding.copy()  # a copy skips setting up the key, most of what a short value costs
        begun.update(f"{domain}\x00".encode())

        def blind(value: str) -> bytes:
            hashing = begun.copy()
            hashing.update(value.encode())
            return hashing.finalize()[:TOKEN_BYTES]

        return blind

    def seal(self, session: Session, owner_id: UUID, plaintext: bytes, context: str) -> bytes:
        """Encrypt under the owner's data key, making it on first use; `context` names the row and binds the bytes."""
        row = session.get(DataKey, owner_id)
        if row is None:
            key = AESGCM.generate_key(KEY_BYTES * 8)
            master_key_id, wrapped = self._master.wrap(key, owner_id.bytes)
            session.add(DataKey(owner_id=owner_id, master_key_id=master_key_id, wrapped=wrapped))
        else:
            key = self._master.unwrap(row.master_key_id, row.wrapped, owner_id.bytes)
        return _encrypt(key, plaintext, _associated(owner_id, context))

    def seal_anew(self, owner_id: UUID, plaintext: bytes, context: str) -> SealedAnew:
        """`seal` for an owner that has no data key yet, which the caller writes with the bytes."""
        key = AESGCM.generate_key(KEY_BYTES * 8)
        master_key_id, wrapped = self._master.wrap(key, owner_id.bytes)
        return SealedAnew(_encrypt(key, plaintext, _associated(owner_id, context)), master_key_id, wrapped)

    def unseal(self, key: DataKey | WrappedKey, sealed: bytes, context: str) -> bytes:
        """Open what `seal` closed for that owner and context; raises SealError."""
        data_key = self._master.unwrap(key.master_key_id, key.wrapped, key.owner_id.bytes)
        return _decrypt(data_key, sealed, _associated(key.owner_id, context))

    def open(self, session: Session, owner_id: UUID, sealed: bytes, context: str) -> bytes:
        """`unseal`, looking the owner's data key up; raises SealError when it was destroyed."""
        row = session.get(DataKey, owner_id)
        if row is None:
            msg = "the data key was destroyed"
            raise SealError(msg)
        return self.unseal(row, sealed, context)

    def rewrap(self, key: DataKey) -> None:
        """Move a data key under the current master key (rotation); the sealed data stay as they are."""
        data_key = self._master.unwrap(key.master_key_id, key.wrapped, key.owner_id.bytes)
        key.master_key_id, key.wrapped = self._master.wrap(data_key, key.owner_id.bytes)


def read_key(path: Path) -> bytes:
    """A 32-byte key from a base64 file; raises SealError."""
    try:
        key = b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, ValueError) as error:
        msg = f"key file {path} can't be read: {error}"
        raise SealError(msg) from error
    if len(key) != KEY_BYTES:
        msg = f"key file {path} must hold {KEY_BYTES} bytes in base64"
        raise SealError(msg)
    return key


def create_keys(directory: Path) -> list[Path]:
    """Make the first master key and the blind key where missing, for their owner's eyes; returns what was made."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = [directory / "blind.key"]
    if not any(directory.glob("master-*.key")):
        wanted.append(directory / "master-0001.key")
    return [path for path in wanted if write_key(path)]


def add_master_key(directory: Path) -> Path:
    """Make the next master key; it becomes current at the next start of each process."""
    last = max(int(path.stem.removeprefix("master-")) for path in directory.glob("master-*.key"))
    path = directory / f"master-{last + 1:04d}.key"
    write_key(path)
    return path


def set_aside(directory: Path, master_key_id: str) -> Path:
    """Move a retired master key where no process reads it; raises OSError, as from a directory mounted read-only."""
    target = directory / "retired" / f"{master_key_id}.key"
    target.parent.mkdir(mode=0o700, exist_ok=True)
    return (directory / target.name).rename(target)


def write_key(path: Path) -> bool:
    """Create a key file unless it exists; whole or not at all, even when several processes start at once."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    draft = Path(name)
    share_owner(descriptor, path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b64encode(secrets.token_bytes(KEY_BYTES)))
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def share_owner(descriptor: int, directory: Path) -> None:
    """A key that root makes belongs to whom its directory belongs to: the processes that read it may not be root's."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _associated(owner_id: UUID, context: str) -> bytes:
    return owner_id.bytes + context.encode()


_master_cipher = lru_cache(maxsize=8)(AESGCM)


def _encrypt(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated)


def _decrypt(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
    except (InvalidTag, ValueError) as error:
        msg = "sealed bytes were altered, moved, or belong to another key"
        raise SealError(msg) from error

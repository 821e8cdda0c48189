"""The index of blocking tokens: a record's rows written, and taken out again.

Rows are found by their token alone: an index by record as well was half of what the database did for an import. So what
a record no longer says is taken out by its tokens, made again of what it said.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from matching.key_scheme import key_scheme

WRITE = text("""
INSERT INTO blocking_tokens (token, source_record_id, scheme)
SELECT token, :record_id, :scheme FROM unnest(CAST(:tokens AS bigint[])) AS token
ON CONFLICT (token, source_record_id) DO UPDATE SET scheme = excluded.scheme
""")
TAKE_OUT = text("""
DELETE FROM blocking_tokens WHERE token = ANY(CAST(:tokens AS bigint[])) AND source_record_id = :record_id
""")


def write(session: Session, record_id: UUID, tokens: Collection[int]) -> None:
    """Let a record be found by these tokens, which this version's rules made; one it has already is theirs now."""
    if tokens:
        session.execute(WRITE, {"record_id": record_id, "scheme": key_scheme(), "tokens": list(tokens)})


def take_out(session: Session, record_id: UUID, tokens: Collection[int]) -> None:
    """Let a record no longer be found by these tokens."""
    if tokens:
        session.execute(TAKE_OUT, {"record_id": record_id, "tokens": list(tokens)})

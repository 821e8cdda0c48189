"""Arrays as PostgreSQL reads them."""

from uuid import UUID

from registry.identity.batch.arrays import numbers, octets, uuids


def test_arrays_are_written_as_postgresql_reads_them() -> None:
    assert numbers([-(2**63), 0, 2**63 - 1]) == "{-9223372036854775808,0,9223372036854775807}"
    assert octets([b"\x00\xff", b""]) == '{"\\\\x00ff","\\\\x"}'
    assert uuids([UUID(int=1).bytes, UUID(int=2).bytes]) == f"{{{UUID(int=1).hex},{UUID(int=2).hex}}}"
    assert (numbers([]), octets([]), uuids([])) == ("{}", "{}", "{}")

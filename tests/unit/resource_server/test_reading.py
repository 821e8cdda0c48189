"""JSON from outside is read in one way, or not at all."""

import pytest

from consent_broker.resource_server.reading import TooMuch, Unreadable, read_json, read_object


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":1,"a":2}', b'{"b":{"a":1,"a":1}}', b"[" * 100_000])
def test_what_has_no_one_meaning_is_not_read(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_json(body)
    assert read_object(body) is None


@pytest.mark.parametrize("body", [b"[]", b"null", b'"a"', b"1"])
def test_only_an_object_is_one(body: bytes) -> None:
    assert read_object(body) is None


def test_a_mark_of_utf_8_is_no_part_of_it() -> None:
    assert read_object(b'\xef\xbb\xbf{"a":[1]}') == {"a": [1]}


def test_more_values_than_may_be_looked_through_are_not() -> None:
    assert read_json(b"[1,2]", most=2) == [1, 2]
    with pytest.raises(TooMuch):
        read_json(b"[1,2,3]", most=2)

"""Whatever a directory file holds, reading it ends in items and faults, and no fault quotes a person's number."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.directory.loading import KINDS, parse
from registry.errors import DomainError, InvalidInput, TooLarge

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(sorted({name for kind, _ in KINDS.values() for name in kind.model_fields}))
ITEMS = st.dictionaries(FIELDS, JSON, max_size=8) | JSON
FILES = st.dictionaries(st.sampled_from(sorted(KINDS)), st.lists(ITEMS, max_size=3), min_size=1)


@given(FILES)
def test_each_bad_item_has_a_fault_that_names_its_place(content: dict[str, list[object]]) -> None:
    entries, faults = parse(json.dumps(content).encode())
    places = {entry.place for entry in entries}
    for kind, items in content.items():
        for index in range(len(items)):
            place = f"{kind}[{index}]"
            assert place in places or any(line.startswith(place) for line in faults)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_refused_in_words(content: bytes) -> None:
    with suppress(InvalidInput, TooLarge):
        parse(content)


@given(st.from_regex(r"[0-9]{9,19}", fullmatch=True))
def test_a_fault_never_quotes_the_value(number: str) -> None:
    item = {"document": {"type": "DNI", "number": number}, "role": "analyst", "until": "2099-01-01"}
    _, faults = parse(json.dumps({"staff": [item]}).encode())
    assert faults == ["staff[0].document: number does not have the form of a DNI"]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"staff": ' + b"[" * 100_000, b"\xff\xfe{}", b"", b"{}", b"[]"])
def test_hostile_files_are_refused(content: bytes) -> None:
    with pytest.raises(DomainError):
        parse(content)

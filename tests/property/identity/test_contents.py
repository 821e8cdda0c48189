"""Canonical bytes of a record's content: content tokens kept for years were made of them."""

import json

from hypothesis import given
from hypothesis import strategies as st

from matching.records import Demographics, Document, DocumentType
from registry.identity.contents import Aside, Content, from_bytes, to_bytes

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


ASIDE = st.builds(Aside, **dict.fromkeys(Aside.__annotations__, TEXTS))


@given(
    mother=TEXTS,
    aside=ASIDE,
    number=st.text('aÑ\u2028\x7f\x01/<"\\', max_size=6),
    name=TEXTS,
    address=TEXTS,
    deceased=TEXTS,
)
def test_content_is_the_compact_json_of_sorted_names(
    mother: str | None, aside: Aside, number: str, name: str | None, address: str | None, deceased: str | None
) -> None:
    documents = (Document(DocumentType.DNI, number, "PER"),)
    said = Demographics(documents=documents, given_names=name, address=address, mother_document=documents[0])
    content = Content("urn:s", number, said, deceased, None, mother, aside)
    written = to_bytes(content)
    again = json.dumps(json.loads(written), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert written == again.encode()
    assert from_bytes(written) == content

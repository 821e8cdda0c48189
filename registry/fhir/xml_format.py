"""FHIR XML (R4 xml §2.6.2): read into the JSON form that everything else works on, written from it.

Writing is the library's. Reading is not: the library's reader takes the last of two values where FHIR allows one, and
overlooks stray text, foreign namespaces and the ids of elements, so that a document could say two things at once.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from fhir.resources.R4B import get_fhir_model_class
from fhir_core.utils import determine_version_prefix, get_fhir_type_name, is_list_type, is_primitive_type
from lxml import etree

from registry.errors import InvalidInput
from registry.fhir.wire import MAX_DEPTH, Json, fail

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
NUMBERS = frozenset({"integer", "positiveInt", "unsignedInt"})
WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
"""As FHIR writes numbers (R4 datatypes §2.24.0.1): Python reads more, such as `1_0` and the digits of other scripts."""

BOOLEANS = {"true": True, "false": False}


class Field(NamedTuple):
    """What a type holds under one name."""

    kind: str
    repeats: bool
    primitive: bool


def to_xml(body: Json) -> str | bytes:
    """A valid resource as FHIR XML."""
    return get_fhir_model_class(body["resourceType"]).model_validate(body).model_dump_xml()


def from_xml(body: bytes) -> Json:
    """The JSON form of a resource in FHIR XML; raises InvalidInput. Its types are checked, its rules are not yet.

    No document type is taken: nothing is expanded, and nothing fetched.
    """
    root = _parse(body)
    return _resource(root, etree.QName(root).localname, 0)


def _parse(body: bytes) -> etree._Element:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise InvalidInput("XML with a document type is not taken.", code="not-xml")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        body.decode("utf-8")
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InvalidInput("The body is not XML in UTF-8.", code="not-xml", debug=type(error).__name__) from None


def _resource(element: etree._Element, path: str, depth: int) -> Json:
    name = etree.QName(element)
    if name.namespace != FHIR:
        fail(path, f"must be in the namespace {FHIR}")
    if not is_resource(name.localname):
        fail(path, "is not a resource of FHIR R4")
    return {"resourceType": name.localname} | _complex(element, _fields(name.localname), path, depth)


def is_resource(type_name: str) -> bool:
    """Whether FHIR R4 has a resource of that name."""
    try:
        return issubclass(get_fhir_model_class(type_name), get_fhir_model_class("Resource"))
    except ValueError:
        return False


@cache
def _fields(type_name: str) -> dict[str, Field]:
    """The fields of a FHIR type by their names in XML; raises KeyError for no type."""
    model = get_fhir_model_class(type_name)
    found = {}
    for alias, name in model.get_alias_mapping().items():
        if name.endswith("__ext") or name == "fhir_comments":
            continue
        field, prefix = model.model_fields[name], determine_version_prefix(model.__module__)
        found[alias] = Field(get_fhir_type_name(field, prefix=prefix), is_list_type(field), is_primitive_type(field))
    return found


def _complex(element: etree._Element, fields: dict[str, Field], path: str, depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"The XML is nested deeper than {MAX_DEPTH} levels.", code="too-deep")
    made: Json = dict(_attributes(element, path, frozenset({"id", "url"}) & fields.keys()))
    for child in element:
        name = _name(child, path)
        field = fields.get(name)
        if field is None:
            fail(f"{path}.{name}", "is not an element of this resource")
        where = f"{path}.{name}" + (f"[{len(made.get(name, []))}]" if field.repeats else "")
        value, beside = _value(child, field, where, depth + 1)
        if field.repeats:
            _append(made, name, value, beside)
        elif name in made or f"_{name}" in made:
            fail(where, "has several values where FHIR allows one")
        else:
            made |= {name: value} if value is not None else {}
            made |= {f"_{name}": beside} if beside else {}
    return made


def _append(made: Json, name: str, value: Any, beside: Json) -> None:
    """A repeating element; what stands beside primitives is a list as long as theirs (R4 json §2.6.2.2)."""
    values = made.setdefault(name, [])
    values.append(value)
    if beside or f"_{name}" in made:
        others = made.setdefault(f"_{name}", [])
        others.extend([None] * (len(values) - 1 - len(others)))
        others.append(beside or None)


def _value(element: etree._Element, field: Field, path: str, depth: int) -> tuple[Any, Json]:
    """What an element holds, and what stands beside it where it is a primitive."""
    if field.kind == "xhtml":
        return etree.tostring(element, encoding="unicode", with_tail=False), {}
    if field.primitive:
        beside = _complex(element, {"id": _ID, "extension": _EXTENSION, "value": _VALUE}, path, depth)
        text = element.get("value")
        if text is None and not beside:
            fail(path, "has neither a value nor an extension")
        return (None if text is None else _primitive(text, field.kind, path)), beside
    if field.kind == "Resource":
        children = list(element)
        if len(children) != 1:
            fail(path, "must hold one resource")
        return _resource(children[0], path, depth), {}
    made = _complex(element, _fields(field.kind), path, depth)
    if not made:
        fail(path, "is empty")
    return made, {}


_ID = Field("string", repeats=False, primitive=True)
_VALUE = Field("string", repeats=False, primitive=True)
_EXTENSION = Field("Extension", repeats=True, primitive=False)


def _primitive(text: str, kind: str, path: str) -> Any:
    if kind == "boolean":
        if text not in BOOLEANS:
            fail(path, "must be true or false")
        return BOOLEANS[text]
    if kind not in NUMBERS and kind != "decimal":
        return text
    if not (WHOLE if kind in NUMBERS else DECIMAL).fullmatch(text):
        fail(path, "must be a number")
    return int(text) if kind in NUMBERS else float(text)


def _attributes(element: etree._Element, path: str, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
        fail(path, "holds text outside its elements")
    for name, value in element.attrib.items():
        if name in known:
            yield str(name), str(value)
        elif name != "value" and not str(name).startswith("{http://www.w3.org/2001/XMLSchema-instance}"):
            fail(path, "has an attribute that is not FHIR's")


def _name(child: etree._Element, path: str) -> str:
    name = etree.QName(child) if isinstance(child.tag, str) else None
    if name is None or name.namespace != (XHTML if name.localname == "div" else FHIR):
        fail(path, f"holds something outside the namespace {FHIR}")
    return str(name.localname)

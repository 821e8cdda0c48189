"""A FHIR Patient in the shapes Peru writes, read as demographics; pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from matching.records import Demographics, Document, DocumentType, Sex
from registry.fhir import systems
from registry.fhir.wire import Json, fail
from registry.identity.contents import NOTHING_ASIDE, Aside, Content

MAX_VALUE = 200
MAX_REPEATS = 20
NAME_USES = ("official", "usual", None, "temp", "anonymous")
PLACE = frozenset({"district", "city", "state", "postalCode"})
GENDERS: dict[str, Sex] = {"male": "M", "female": "F"}


def to_demographics(
    patient: Json, root: str = "Patient", local_system: str | None = None, *, plain: bool = False
) -> Demographics:
    """Demographics of a valid Patient; raises InvalidResource for a value too long, or a birth date to come.

    Reads PE Core and what is seen beside it: the mother's surname under http and https, `mothersMaidenName`, document
    kinds by NamingSystem, OID, passport system or IdspersonaPeru type, ubigeo and country as string or coding. An
    identifier of `local_system` is a local number, whatever its type says. What is `plain` holds nothing too long.
    """
    if not plain:
        _check_lengths(patient, root)
    names = _dicts(patient, "name")
    main, maiden = _main_name(names), next((one for one in names if one.get("use") == "maiden"), {})
    own = maiden if maiden.get("family") else main
    return Demographics(
        documents=tuple(_documents(patient, root, local_system)),
        paternal_surname=_text(own.get("family")) or _family_extension(own, systems.FATHERS_FAMILY),
        maternal_surname=_maternal(patient, own) or _maternal(patient, main),
        married_surname=_married(main, own),
        given_names=_given(main) or _given(maiden) or _free_text(main),
        sex=GENDERS.get(str(patient.get("gender"))),
        birth_date=_birth_date(patient.get("birthDate"), root),
        ubigeo=_ubigeo(patient),
        address=_address(patient),
        phone=_phone(patient),
        mother_document=_mother_document(patient, local_system),
        multiple_birth_order=_birth_order(patient, root),
    )


def to_content(patient: Json, system: str, number: str, *, plain: bool = False) -> Content:
    """All that is kept of a valid Patient of a local number; raises as `to_demographics` does."""
    return Content(
        system,
        number,
        to_demographics(patient, local_system=system, plain=plain),
        to_deceased(patient),
        to_born_in(patient),
        mother_number_of(patient, system),
        _aside(patient),
    )


def mother_number_of(patient: Json, system: str) -> str | None:
    """The mother's local number of `system`, the first that is stated."""
    return next(
        (
            text
            for one in identifiers_of_mother(patient)
            if one.get("system") == system and (text := _text(one.get("value")))
        ),
        None,
    )


def to_deceased(patient: Json) -> str | None:
    """What a valid Patient says of its death: a dateTime, `true`, or None; raises InvalidResource for one to come."""
    moment = patient.get("deceasedDateTime")
    if isinstance(moment, str):
        if moment[:10] > (datetime.now(UTC).date() + timedelta(days=1)).isoformat():
            fail("Patient.deceasedDateTime", "is in the future")
        return moment
    return "true" if patient.get("deceasedBoolean") is True else None


def to_born_in(patient: Json) -> str | None:
    """The year or month a valid Patient says it was born in, None for a whole date or no word of it."""
    said = _text(patient.get("birthDate"))
    return said if said and len(said) < len("1984-07-19") else None


def local_numbers(patient: Json, system: str) -> list[str]:
    """The values of a patient's identifiers of one system, without those no longer in use."""
    current = (one for one in _dicts(patient, "identifier") if one.get("use") != "old")
    values = (_text(one.get("value")) for one in current if one.get("system") == system)
    return [value for value in values if value]


def _check_lengths(patient: Json, root: str) -> None:
    for element in ("identifier", "name", "telecom", "address", "contact", "extension"):
        if len(patient.get(element) or []) > MAX_REPEATS:
            fail(f"{root}.{element}", f"has more than {MAX_REPEATS} entries")
        for path, text in _texts(patient.get(element), f"{root}.{element}"):
            if len(text) > MAX_VALUE:
                fail(path, f"is longer than {MAX_VALUE} characters")


def _dicts(element: Json, key: str) -> list[Json]:
    """The objects of a repeating element; FHIR allows null beside an extension of a primitive only."""
    found = element.get(key)
    return [one for one in found if isinstance(one, dict)] if found else []


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")


def _main_name(names: list[Json]) -> Json:
    ordered = (one for use in NAME_USES for one in names if one.get("use") == use)
    return next(ordered, names[0] if names else {})


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _given(name: Json) -> str | None:
    words = (_text(word) for word in name.get("given") or [])
    return " ".join(word for word in words if word) or None


def _free_text(name: Json) -> str | None:
    """A name written only as text; the engine takes it apart."""
    return None if name.get("family") else _text(name.get("text"))


def _maternal(patient: Json, name: Json) -> str | None:
    return (
        _family_extension(name, systems.MOTHERS_FAMILY)
        or _text(extension_value(patient, systems.MOTHERS_MAIDEN_NAME))
        or _family_extension(name, systems.THIRD_SURNAME)
    )


def _married(main: Json, own: Json) -> str | None:
    """The husband's surname: said by an extension, or the family name in use where a maiden name is given too."""
    said = _family_extension(main, systems.PARTNER_NAME)
    if said:
        return said
    in_use, born = _text(main.get("family")), _text(own.get("family"))
    if own is not main and in_use and born and in_use.casefold() != born.casefold():
        return in_use
    third = _family_extension(main, systems.THIRD_SURNAME)
    return third if third and third != _family_extension(main, systems.MOTHERS_FAMILY) and _has_mother(main) else None


def _has_mother(name: Json) -> bool:
    return _family_extension(name, systems.MOTHERS_FAMILY) is not None


def _family_extension(name: Json, url: str) -> str | None:
    return _text(extension_value(name.get("_family") or {}, url)) or _text(extension_value(name, url))


def extension_value(element: Json, url: str) -> Any:
    """The value of an element's extension, whatever its type; None without it."""
    for extension in _dicts(element, "extension"):
        if systems.same_url(str(extension.get("url")), url):
            return next((value for key, value in extension.items() if key.startswith("value")), None)
    return None


def _code(value: Any) -> str | None:
    """A code out of a string, a Coding or a CodeableConcept."""
    if isinstance(value, dict):
        codings = _dicts(value, "coding") or [value]
        return next((text for one in codings if (text := _text(one.get("code")))), None)
    return _text(value)


def _documents(patient: Json, root: str, local_system: str | None) -> Iterator[Document]:
    for index, identifier in enumerate(_dicts(patient, "identifier")):
        if identifier.get("use") == "old" or (local_system and identifier.get("system") == local_system):
            continue
        document = to_document(identifier)
        if document is not None and len(document.country) != 3:
            fail(f"{root}.identifier[{index}].type", "names a country that is not ISO 3166 alpha-3")
        if document is not None:
            yield document


def to_document(identifier: Json) -> Document | None:
    """The identity document an identifier states, None for any other identifier."""
    value, system = _text(identifier.get("value")), str(identifier.get("system") or "")
    if value is None:
        return None
    if system.startswith(systems.PASSPORT_PREFIX):
        return Document(DocumentType.PASSPORT, value, system.removeprefix(systems.PASSPORT_PREFIX).upper())
    kind = systems.DOCUMENT_SYSTEMS.get(system) or _kind_by_type(identifier.get("type") or {}, system)
    return Document(kind, value, _country(identifier) or "PER") if kind else None


def _kind_by_type(concept: Json, system: str) -> DocumentType | None:
    """A kind by its type code (PE Core goes by type), unless the system is one of ours for something else."""
    if system.startswith(systems.NAMING):
        return None
    for coding in _dicts(concept, "coding"):
        kind = systems.TYPE_CODES.get(str(coding.get("code") or "").upper())
        if kind and coding.get("system") in {None, systems.ID_TYPES, systems.V2_ID_TYPES}:
            return kind
    return None


def _country(identifier: Json) -> str | None:
    code = _code(extension_value(identifier.get("type") or {}, systems.COUNTRY))
    return code.upper() if code else None


def _mother_document(patient: Json, local_system: str | None) -> Document | None:
    stated = (one for one in identifiers_of_mother(patient) if not local_system or one.get("system") != local_system)
    return next(filter(None, map(to_document, stated)), None)


def identifiers_of_mother(patient: Json) -> Iterator[Json]:
    """The identifiers of the mother."""
    for one in _dicts(patient, "extension"):
        stated = one.get("valueIdentifier") if one.get("url") == systems.MOTHERS_DOCUMENT else None
        if isinstance(stated, dict):
            yield stated


def _aside(patient: Json) -> Aside:
    works = any(one.get("use") == "work" for one in _dicts(patient, "telecom"))
    if not works and "contact" not in patient and all(PLACE.isdisjoint(one) for one in _dicts(patient, "address")):
        return NOTHING_ASIDE  # of most lines of a file, as fast as can be seen
    place = _main_address(patient)
    phone = _phone(patient)
    work = (_text(one.get("value")) for one in _phones(patient) if one.get("use") == "work")
    return Aside(
        district=_text(place.get("district")),
        city=_text(place.get("city")),
        state=_text(place.get("state")),
        postal_code=_text(place.get("postalCode")),
        work_phone=next((one for one in work if one and one != phone), None),
        mother_given_names=next(filter(None, map(_given, _names_of_mother(patient))), None),
    )


def _names_of_mother(patient: Json) -> Iterator[Json]:
    for one in _dicts(patient, "contact"):
        roles = [code for concept in _dicts(one, "relationship") for code in _dicts(concept, "coding")]
        if any(role.get("system") == systems.ROLES and role.get("code") == systems.MOTHER for role in roles):
            yield one.get("name") or {}


def _birth_date(value: Any, root: str) -> date | None:
    """A full date; of a partial one the first of January, which the engine takes for a year."""
    text = _text(value)
    if text is None:
        return None
    try:
        born = date.fromisoformat(text) if len(text) == 10 else date(int(text[:4]), 1, 1)
    except ValueError:
        fail(f"{root}.birthDate", "is not a date")
    if born > datetime.now(UTC).date() + timedelta(days=1):
        fail(f"{root}.birthDate", "is in the future")
    return born


def _birth_order(patient: Json, root: str) -> int | None:
    order = patient.get("multipleBirthInteger")
    if not isinstance(order, int) or isinstance(order, bool):
        return None
    if not 1 <= order <= 12:
        fail(f"{root}.multipleBirthInteger", "must be between 1 and 12")
    return order


def _home_first(patient: Json, element: str, use: str) -> list[Json]:
    found = [one for one in _dicts(patient, element) if one.get("use") != "old"]
    return sorted(found, key=lambda one: one.get("use") != use)


def _ubigeo(patient: Json) -> str | None:
    for address in _home_first(patient, "address", "home"):
        for place in (address, *(address.get(key) or {} for key in ("_district", "_city", "_state"))):
            code = _code(extension_value(place, systems.UBIGEO))
            if code:
                return code
    return None


def _address(patient: Json) -> str | None:
    return _line(_main_address(patient))


def _main_address(patient: Json) -> Json:
    """The first address that has a line, the one at home before others; else the first."""
    found = _home_first(patient, "address", "home")
    return next(filter(_line, found), found[0] if found else {})


def _line(address: Json) -> str | None:
    return _joined(address.get("line") or []) or _text(address.get("text"))


def _joined(lines: Iterable[Any]) -> str | None:
    return " ".join(text for line in lines if (text := _text(line))) or None


def _phone(patient: Json) -> str | None:
    return next((text for one in _phones(patient) if (text := _text(one.get("value")))), None)


def _phones(patient: Json) -> list[Json]:
    return [one for one in _home_first(patient, "telecom", "mobile") if one.get("system") in {"phone", "sms"}]

"""What each level means, in words."""

FIELD_WORDS = {
    "prior": "before any evidence",
    "document": "document number",
    "paternal": "paternal surname",
    "maternal": "maternal surname",
    "surname_order": "order of the surnames",
    "given": "given names",
    "sex": "sex",
    "birth": "birth date",
    "place": "place",
    "address": "address",
    "phone": "telephone",
    "mother": "mother's document",
    "birth_order": "order in a multiple birth",
    "relatives": "the two may be relatives",
}
LEVEL_WORDS = {
    "same": "the same",
    "other_type": "the same number under another type",
    "slip": "one slip apart",
    "adjacent": "next in the series, as twins' are",
    "phonetic": "sounds the same",
    "typo": "a slip that makes no known name",
    "near": "one slip apart, both known names",
    "joined": "both surnames written as one",
    "husband": "one is the other's married surname",
    "straight": "as written",
    "swapped": "exchanged",
    "reordered": "the same words in another order",
    "variant": "another spelling or a short form",
    "subset": "some names left out",
    "subset_near": "some names left out, one slip apart",
    "initial": "an initial",
    "partial": "only some names agree",
    "same_partial": "the same year, its first day or middle in both",
    "part": "two of day, month and year agree",
    "year_only": "the same year, its first day or middle in one",
    "year": "the same year",
    "close": "up to four years apart",
    "generation": "a generation apart",
    "district": "the same district",
    "province": "the same province",
    "department": "the same department",
    "similar": "half of the words agree",
    "own": "one's own number is the other's mother's",
    "different": "different",
    "sibling": "most likely siblings",
    "twin": "most likely twins",
    "parent": "most likely parent and child",
}


def field_words(field: str) -> str:
    """A field, or another part of the weight, in words."""
    return FIELD_WORDS.get(field, field.replace("_", " "))


def level_words(field: str, level: str) -> str:
    """A level in words; of birth dates, exchanged are day and month."""
    if (field, level) == ("birth", "swapped"):
        return "day and month exchanged"
    return LEVEL_WORDS.get(level, level.replace("_", " "))

"""Names of the levels a field may come out at: how the fields of two records agree, in words."""

from collections.abc import Mapping

MISSING = "missing"
SAME, PHONETIC, TYPO, NEAR, DIFFERENT = "same", "phonetic", "typo", "near", "different"
SHORT, INITIAL = "short", "initial"
LEVELS: Mapping[str, tuple[str, ...]] = {
    "document": (SAME, "other_type", "slip", "adjacent", DIFFERENT),
    "paternal": (SAME, PHONETIC, TYPO, NEAR, "joined", DIFFERENT),
    "maternal": (SAME, PHONETIC, TYPO, NEAR, "husband", DIFFERENT),
    "surname_order": ("straight", "swapped"),
    "given": (
        SAME, "reordered", "variant", TYPO, "subset", "subset_near", NEAR, INITIAL, "partial", DIFFERENT,
    ),
    "sex": (SAME, DIFFERENT),
    "birth": (
        SAME, "same_partial", "swapped", "slip", "part", "year_only", "year", "close", "generation", DIFFERENT,
    ),
    "place": ("district", "province", "department", DIFFERENT),
    "address": (SAME, "similar", DIFFERENT),
    "phone": (SAME, "slip", DIFFERENT),
    "mother": (SAME, "slip", "own", DIFFERENT),
    "birth_order": (SAME, DIFFERENT),
}  # fmt: skip
"""Every field in the order it is compared, and the levels it may come out as; `MISSING` stands beside them all."""
FIELDS = tuple(LEVELS)

Agreed = tuple[str, ...]
"""The names agreed on, which count by their frequency."""
Outcome = tuple[str, Agreed]
NOTHING: Agreed = ()

"""The model compiled to Splink 5 settings, and to the SQL that turns Splink's weight into ours.

Splink weighs a match against unrelated people, each field's levels independent. The engine also weighs it against
relatives, and agreed names by their frequency; both are worked out from the levels Splink predicted, in the same SQL.
Levels come from the engine's own comparisons, which a backend offers as functions `level_<field>(l, r)` and
`name_bits_<field>(l, r)` over `COLUMNS`, whatever it keeps in those.
"""

from typing import Any

from splink import SettingsCreator

from matching.compare import ASPECTS
from matching.executors.values import COLUMNS
from matching.levels import FIELDS, LEVELS
from matching.model import CLASSES, KIN, Model

COLUMN_OF = {field: column for column, aspect in zip(COLUMNS, ASPECTS, strict=True) for field in aspect.fields}
NAMED = tuple(aspect.fields[0] for aspect in ASPECTS if {"paternal", "given"} & set(aspect.fields))
"""First fields of the aspects that agree on names, which count by their frequency."""
MATCH, UNRELATED = CLASSES.index("match"), CLASSES.index("unrelated")


def splink_settings(model: Model) -> SettingsCreator:
    """Settings for a deduplication of records with `unique_id` and `COLUMNS`; blocked pairs are registered apart."""
    odds = 2.0 ** (model.prior[MATCH] - model.prior[UNRELATED])
    return SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(model, field) for field in FIELDS],
        blocking_rules_to_generate_predictions=[],
        probability_two_random_records_match=odds / (1 + odds),
        retain_matching_columns=True,  # Splink keeps the levels only together with the values
    )


def weight_sql(model: Model, predicted: str) -> str:
    """A query for `one`, `other` and `weight`, the weight of `matching.score.weigh`, from Splink's predictions.

    The weight is minus log2 of the sum over the other classes of 2 to what speaks for the class against a match.
    """
    names = " + ".join(f"name_bits_{field}({COLUMN_OF[field]}_l, {COLUMN_OF[field]}_r)" for field in NAMED)
    against = {"unrelated": f"({names}) - match_weight"} | {kin: _against(model, kin) for kin in KIN}
    sums = ", ".join(f"{sql} as {kind}" for kind, sql in against.items())
    odds = " + ".join(f"power(2e0, {kind} - most)" for kind in against)
    return f"""
        select one, other, -(most + log2({odds})) as weight
        from (
            select *, greatest({", ".join(against)}) as most
            from (select unique_id_l as one, unique_id_r as other, {sums} from {predicted})
        )
    """  # noqa: S608 - made of the model's numbers and fixed names


def function_name(field: str) -> str:
    """The function that gives the level of a field: 0 for missing, else its place in `LEVELS` from 1."""
    return f"level_{field}"


def _comparison(model: Model, field: str) -> dict[str, Any]:
    column = COLUMN_OF[field]
    call = f"{function_name(field)}({column}_l, {column}_r)"
    missing = {"sql_condition": f"{call} = 0", "label_for_charts": "missing", "is_null_level": True}
    levels = [
        {
            "sql_condition": f"{call} = {number}" if number < len(LEVELS[field]) else "ELSE",
            "label_for_charts": level,
            "m_probability": 2.0 ** model.levels[field][level][MATCH],
            "u_probability": 2.0 ** model.levels[field][level][UNRELATED],
        }
        for number, level in enumerate(LEVELS[field], start=1)
    ]
    return {"output_column_name": field, "comparison_levels": [missing, *levels]}


def _against(model: Model, kin: str) -> str:
    """What speaks for one kind of relatives against a match, in bits."""
    at = CLASSES.index(kin)
    terms = [_number(model.prior[at] - model.prior[MATCH])]
    for field in FIELDS:
        numbers = enumerate(reversed(LEVELS[field]))  # Splink counts levels from the last, which is 0; missing is -1
        cases = [
            f"when {gamma} then {_number(bits[at] - bits[MATCH])}"
            for gamma, level in numbers
            if (bits := model.levels[field][level])
        ]
        terms.append(f"case gamma_{field} {' '.join(cases)} else 0e0 end")
    return " + ".join(terms)


def _number(value: float) -> str:
    """A double as SQL, to its last digit."""
    return f"cast('{value!r}' as double)"

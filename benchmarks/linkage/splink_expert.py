"""Splink 5 on DuckDB as an expert of Peruvian data would set it up, on the same normalised records.

`python -m benchmarks.linkage.splink_expert --data DIR --thresholds 8 10 12`; choose on one seed, report another.

It gets the engine's normalisation and phonetics, sixteen blocking rules, graded levels with term frequency, levels that
know twins, siblings and parents, one comparison for home and telephone together (households share both), training by
expectation maximisation on samples where nearly all pairs are true, and two ways to cluster: connected components, and
merging from the strongest pair down while refusing two people with different documents.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI
from splink.blocking_rule_library import CustomRule

from benchmarks.linkage.report import show
from benchmarks.linkage.run import Clock, load, load_truth
from matching.compare import one_slip
from matching.evaluate import evaluate
from matching.normalise import Normalised

THRESHOLDS = tuple(range(-2, 21))
SAME_CONTACT = "(phone_l = phone_r or address_l = address_r)"
SAME_SURNAMES = "(pcode_l = pcode_r and mcode_l = mcode_r)"
COMMON_NAME = "len(list_intersect(gcodes_l, gcodes_r)) >= 1"
RULES = (
    block_on("number"),
    block_on("born", "pcode"),
    block_on("born", "mcode"),
    CustomRule("l.born = r.born and l.pcode = r.mcode"),
    block_on("born", "gcodes", arrays_to_explode=["gcodes"]),
    block_on("pcode", "mcode", "gcodes", arrays_to_explode=["gcodes"]),
    CustomRule("l.pcode = r.mcode and l.mcode = r.pcode and l.g1code = r.g1code"),
    block_on("pcode", "mcode", "year"),
    block_on("pcode", "mcode", "day"),
    block_on("pcode", "mcode", "ubigeo"),
    block_on("pcode", "gcodes", "ubigeo", arrays_to_explode=["gcodes"]),
    block_on("mcode", "gcodes", "ubigeo", arrays_to_explode=["gcodes"]),
    block_on("phone", "gcodes", arrays_to_explode=["gcodes"]),
    block_on("phone", "pcode"),
    block_on("address", "pcode"),
    CustomRule("l.number[1:4] = r.number[1:4] and l.pcode = r.pcode and l.g1code = r.g1code"),
)


def row(index: int, record: Normalised) -> dict[str, Any]:
    """A normalised record as Splink's columns; None is missing."""
    born = record.birth_date
    return {
        "unique_id": index,
        "number": record.documents[0].number if record.documents else None,
        "paternal": record.paternal or None,
        "maternal": record.maternal or None,
        "married": record.married or None,
        "pcode": record.paternal_code or None,
        "mcode": record.maternal_code or None,
        "given": " ".join(record.given) or None,
        "words": list(record.given) or None,
        "gcodes": [code for code in record.given_codes if len(code) > 1] or None,
        "g1": record.given[0] if record.given else None,
        "g1code": record.given_codes[0] if record.given_codes else None,
        "sex": record.sex,
        "born": born.isoformat() if born else None,
        "turned": f"{born.year:04d}-{born.day:02d}-{born.month:02d}" if born else None,
        "year": born.year if born else None,
        "day": f"{min(born.day, born.month)}-{max(born.day, born.month)}"
        if born and not record.partial_birth
        else None,
        "ubigeo": record.ubigeo if len(record.ubigeo) == 6 else None,
        "address": " ".join(sorted(record.address)) or None,
        "phone": record.phone or None,
    }


def level(sql: str, label: str) -> Any:
    """A level from a condition."""
    return cll.CustomLevel(sql, label_for_charts=label)


def fixed(sql: str, label: str, bits: float) -> Any:
    """A level of relatives at a fixed weight: learnt from random pairs, so rare a level would count in favour."""
    held = {"fix_m_probability": True, "fix_u_probability": True}
    return level(sql, label).configure(m_probability=2.0**bits, u_probability=1.0, **held)


def rare(made: Any, u: float) -> Any:
    """A level with a known chance among strangers: a random sample of pairs holds too few, or true matches only."""
    return made.configure(u_probability=u, fix_u_probability=True)


def surname(column: str, code: str, other: str) -> Any:
    """Exact with term frequency, alike by ear, exchanged with the other surname, a slip, a husband's, or else."""
    levels = [
        cll.NullLevel(column),
        cll.ExactMatchLevel(column, term_frequency_adjustments=True),
        cll.ExactMatchLevel(code, term_frequency_adjustments=True),
        level(f"{code}_l = {other}_r", "exchanged"),
        cll.DamerauLevenshteinLevel(column, 1),
        cll.JaroWinklerLevel(column, 0.92),
    ]
    if column == "maternal":
        levels.append(level("maternal_l = married_r or maternal_r = married_l", "husband's"))
    return cl.CustomComparison(output_column_name=column, comparison_levels=[*levels, cll.ElseLevel()])


def comparisons() -> list[Any]:
    """Graded levels for every field; relatives have levels of their own."""
    near_number = "abs(try_cast(number_l as bigint) - try_cast(number_r as bigint)) <= 4"
    return [
        cl.CustomComparison(
            output_column_name="number",
            comparison_levels=[
                cll.NullLevel("number"),
                fixed(f"number_l = number_r and not ({COMMON_NAME}) and born_l != born_r", "a relative's", 2.0),
                rare(cll.ExactMatchLevel("number"), 1e-7),
                fixed(f"born_l = born_r and {near_number}", "twins", -10.0),
                rare(cll.DamerauLevenshteinLevel("number", 1), 2e-6),
                cll.ElseLevel(),
            ],
        ),
        surname("paternal", "pcode", "mcode"),
        surname("maternal", "mcode", "pcode"),
        cl.CustomComparison(
            output_column_name="given",
            comparison_levels=[
                cll.NullLevel("given"),
                cll.ExactMatchLevel("given", term_frequency_adjustments=True),
                level(
                    "len(list_intersect(gcodes_l, gcodes_r)) >= greatest(len(gcodes_l), len(gcodes_r))", "same by ear"
                ).configure(tf_adjustment_column="g1code"),
                level(
                    "len(list_intersect(gcodes_l, gcodes_r)) >= least(len(gcodes_l), len(gcodes_r))", "subset"
                ).configure(tf_adjustment_column="g1code"),
                level("jaro_winkler_similarity(given_l, given_r) >= 0.92", "near"),
                level("damerau_levenshtein(g1_l, g1_r) <= 1 and len(g1_l) > 3 and len(g1_r) > 3", "a slip"),
                fixed(
                    f"{SAME_SURNAMES} and not ({COMMON_NAME}) and (born_l = born_r or {SAME_CONTACT})",
                    "twins and siblings",
                    -16.0,
                ),
                cll.ExactMatchLevel("g1code", term_frequency_adjustments=True),
                level(COMMON_NAME, "one name"),
                cll.ElseLevel(),
            ],
        ),
        cl.CustomComparison(
            output_column_name="born",
            comparison_levels=[
                cll.NullLevel("born"),
                cll.ExactMatchLevel("born"),
                level("born_l = turned_r", "day and month exchanged"),
                cll.DamerauLevenshteinLevel("born", 1),
                level("year_l = year_r and (born_l like '%-01-01' or born_r like '%-01-01')", "year only"),
                fixed(f"{SAME_SURNAMES} and year_l != year_r", "a sibling's", -11.0),
                fixed("(pcode_l = pcode_r or mcode_l = mcode_r) and abs(year_l - year_r) >= 14", "a parent's", -11.0),
                cll.DamerauLevenshteinLevel("born", 2),
                level("abs(year_l - year_r) <= 5", "near years"),
                cll.ElseLevel(),
            ],
        ),
        cl.ExactMatch("sex"),
        cl.CustomComparison(
            output_column_name="ubigeo",
            comparison_levels=[
                cll.NullLevel("ubigeo"),
                cll.ExactMatchLevel("ubigeo", term_frequency_adjustments=True),
                level("ubigeo_l[1:4] = ubigeo_r[1:4]", "province"),
                level("ubigeo_l[1:2] = ubigeo_r[1:2]", "department"),
                cll.ElseLevel(),
            ],
        ),
        cl.CustomComparison(
            output_column_name="contact",
            comparison_levels=[
                level(
                    "(phone_l is null or phone_r is null) and (address_l is null or address_r is null)", "no contact"
                ).configure(is_null_level=True),
                fixed(f"{SAME_CONTACT} and not ({COMMON_NAME})", "a household's", 0.0),
                fixed(f"{SAME_CONTACT} and {SAME_SURNAMES}", "a family's", 2.0),
                fixed(f"{SAME_CONTACT} and (pcode_l = pcode_r or mcode_l = mcode_r)", "a parent's home", 5.0),
                rare(level("phone_l = phone_r and address_l = address_r", "both"), 1e-6),
                rare(level("phone_l = phone_r", "telephone"), 2e-6),
                rare(level("address_l = address_r", "address"), 5e-6),
                level("damerau_levenshtein(phone_l, phone_r) <= 1 or jaccard(address_l, address_r) >= 0.8", "similar"),
                cll.ElseLevel(),
            ],
        ),
    ]


def trained(records: Iterable[Normalised], clock: Clock) -> Linker:
    """Splink trained on the records themselves."""
    frame = pd.DataFrame(row(index, record) for index, record in enumerate(records))
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=comparisons(),
        blocking_rules_to_generate_predictions=list(RULES),
        retain_matching_columns=False,
        max_iterations=20,
    )
    linker = Linker(DuckDBAPI().register(frame, table_name="records"), settings, log_level="ERROR")
    clock.lap("load")
    linker.training.estimate_probability_two_random_records_match(
        [block_on("number", "g1code"), block_on("born", "pcode", "mcode", "g1code")], recall=0.85
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on("number", "ubigeo"), block_on("number", "sex"), block_on("pcode", "mcode", "g1code", "year")):
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, fix_probability_two_random_records_match=True, record_sample_proportion=1.0
        )
    clock.lap("train")
    return linker


def frame_of(found: Any) -> pd.DataFrame:
    """A table of Splink's."""
    return found.as_pandas_dataframe()


def predicted(linker: Linker, clock: Clock) -> tuple[pd.DataFrame, Any]:
    """Weighed pairs above the lowest threshold, and Splink's own handle on them."""
    found = linker.inference.predict(threshold_match_weight=min(THRESHOLDS))
    frame = frame_of(found)
    clock.lap("predict")
    return frame, found


def components(linker: Linker, found: Any, threshold: float, size: int) -> list[int]:
    """Clusters as Splink makes them: connected components of the pairs above the threshold."""
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(found, threshold_match_weight=threshold)
    labels = frame_of(clusters).set_index("unique_id")["cluster_id"].reindex(range(size))
    return [int(label) for label in pd.factorize(labels)[0]]


def refusing(frame: pd.DataFrame, records: list[Normalised], threshold: float) -> list[int]:
    """Merging from the strongest pair down; clusters with different documents, not a slip apart, stay two."""
    numbers = [{document.number for document in record.documents} for record in records]
    label = list(range(len(records)))
    members = {index: [index] for index in label}
    for one, other in _strongest(frame, threshold):
        first, second = label[one], label[other]
        if first == second or _different(numbers[first], numbers[second]):
            continue
        numbers[first] |= numbers[second]
        members[first] += members[second]
        for index in members.pop(second):
            label[index] = first
    return label


def _strongest(frame: pd.DataFrame, threshold: float) -> Iterator[tuple[int, int]]:
    strong = frame[frame.match_weight >= threshold].sort_values("match_weight", ascending=False, kind="stable")
    return zip(strong.unique_id_l.astype(np.int64), strong.unique_id_r.astype(np.int64), strict=True)


def _different(one: set[str], other: set[str]) -> bool:
    return bool(one and other) and not any(a == b or one_slip(a, b) for a in one for b in other)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--thresholds", type=float, nargs="+", default=[8.0, 10.0, 12.0])
    options = parser.parse_args()
    clock = Clock()
    records = [member.normalised for member in load(options.data)]
    clock.lap("normalise")
    linker = trained(records, clock)
    frame, found = predicted(linker, clock)
    truth = load_truth(options.data)
    for threshold in options.thresholds:
        print(f"--- {threshold} bits")
        labels = components(linker, found, threshold, len(records))
        clock.lap("connected components")
        show(evaluate(labels, truth))
        clock.lap("(measuring)")
        labels = refusing(frame, records, threshold)
        clock.lap("refusing different documents")
        show(evaluate(labels, truth))
        clock.lap("(measuring)")


if __name__ == "__main__":
    main()

"""The same benchmark by a seriously configured Splink 5 on DuckDB, for comparison.

Needs an environment of its own: `pip install splink rapidfuzz numpy pandas`; then
`python -m benchmarks.linkage.splink_baseline --data DIR --thresholds 0 2 4 6`. It gets the engine's normalisation and
phonetics, eleven blocking rules, graded levels with term frequency, levels for twins, and EM on the data itself.
Choose the threshold on one seed and report another.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import pandas as pd
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

from benchmarks.linkage.report import show
from benchmarks.linkage.run import load, load_truth
from matching.evaluate import evaluate
from matching.normalise import Normalised

RULES = (
    "l.number = r.number",
    "l.born = r.born and l.pcode = r.pcode",
    "l.born = r.born and l.mcode = r.mcode",
    "l.born = r.born and l.g1code = r.g1code",
    "l.pcode = r.pcode and l.mcode = r.mcode and l.g1code = r.g1code",
    "l.pcode = r.mcode and l.mcode = r.pcode and l.g1code = r.g1code",
    "l.phone = r.phone and l.g1code = r.g1code",
    "l.phone = r.phone and l.pcode = r.pcode",
    "l.pcode = r.pcode and l.g1code = r.g1code and l.ubigeo = r.ubigeo",
    "l.pcode = r.pcode and l.mcode = r.mcode and l.year = r.year",
    "l.address = r.address and l.pcode = r.pcode",
)
SAME_FAMILY = "pcode_l = pcode_r and mcode_l = mcode_r"


def row(index: int, record: Normalised) -> dict[str, Any]:
    """A normalised record as Splink's columns; None is missing."""
    document = record.documents[0] if record.documents else None
    born = record.birth_date
    return {
        "unique_id": index,
        "number": document.number if document else None,
        "paternal": record.paternal or None,
        "maternal": record.maternal or None,
        "pcode": record.paternal_code or None,
        "mcode": record.maternal_code or None,
        "given": " ".join(record.given) or None,
        "g1": record.given[0] if record.given else None,
        "words": list(record.given) or None,
        "g1code": record.given_codes[0] if record.given_codes else None,
        "sex": record.sex,
        "born": born.isoformat() if born else None,
        "turned": f"{born.year:04d}-{born.day:02d}-{born.month:02d}" if born else None,
        "year": born.year if born else None,
        "ubigeo": record.ubigeo if len(record.ubigeo) == 6 else None,
        "address": " ".join(sorted(record.address)) or None,
        "phone": record.phone or None,
    }


def level(sql: str, label: str) -> Any:
    """A level from a condition."""
    return cll.CustomLevel(sql, label_for_charts=label)


def against(sql: str, label: str) -> Any:
    """A level of relatives, eighteen bits against: learnt from random pairs, so rare a level would count in favour."""
    held = {"fix_m_probability": True, "fix_u_probability": True}
    return level(sql, label).configure(m_probability=2**-18, u_probability=1.0, **held)


def surname(column: str, code: str, other: str) -> Any:
    """Exact with term frequency, alike by ear, exchanged with the other surname, a slip, or else."""
    return cl.CustomComparison(
        output_column_name=column,
        comparison_levels=[
            cll.NullLevel(column),
            cll.ExactMatchLevel(column, term_frequency_adjustments=True),
            cll.ExactMatchLevel(code, term_frequency_adjustments=True),
            level(f"{column}_l = {other}_r", "exchanged"),
            cll.DamerauLevenshteinLevel(column, 1),
            cll.JaroWinklerLevel(column, 0.9),
            cll.ElseLevel(),
        ],
    )


def comparisons() -> list[Any]:
    """Graded levels for every field."""
    return [
        cl.CustomComparison(
            output_column_name="number",
            comparison_levels=[
                cll.NullLevel("number"),
                cll.ExactMatchLevel("number"),
                against(
                    "born_l = born_r and abs(try_cast(number_l as bigint) - try_cast(number_r as bigint)) <= 3", "twins"
                ),
                cll.DamerauLevenshteinLevel("number", 1),
                cll.ElseLevel(),
            ],
        ),
        surname("paternal", "pcode", "maternal"),
        surname("maternal", "mcode", "paternal"),
        cl.CustomComparison(
            output_column_name="given",
            comparison_levels=[
                cll.NullLevel("given"),
                cll.ExactMatchLevel("given", term_frequency_adjustments=True),
                level("g1code_l = g1code_r and (len(words_l) = 1 or len(words_r) = 1)", "first only").configure(
                    tf_adjustment_column="g1code"
                ),
                level("jaro_winkler_similarity(given_l, given_r) >= 0.9", "near"),
                level("len(list_intersect(words_l, words_r)) >= least(len(words_l), len(words_r))", "subset"),
                against(f"{SAME_FAMILY} and len(list_intersect(words_l, words_r)) = 0", "twins and siblings"),
                cll.ExactMatchLevel("g1code", term_frequency_adjustments=True),
                level("len(list_intersect(words_l, words_r)) >= 1", "one word"),
                level("jaro_winkler_similarity(g1_l, g1_r) >= 0.85", "first near"),
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
            output_column_name="address",
            comparison_levels=[
                cll.NullLevel("address"),
                cll.ExactMatchLevel("address"),
                level("jaccard(address_l, address_r) >= 0.8", "similar"),
                cll.ElseLevel(),
            ],
        ),
        cl.CustomComparison(
            output_column_name="phone",
            comparison_levels=[
                cll.NullLevel("phone"),
                cll.ExactMatchLevel("phone"),
                cll.DamerauLevenshteinLevel("phone", 1),
                cll.ElseLevel(),
            ],
        ),
    ]


def trained(frame: pd.DataFrame) -> Linker:
    """Splink trained on the records themselves."""
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=comparisons(),
        blocking_rules_to_generate_predictions=list(RULES),
        retain_matching_columns=False,
        max_iterations=40,
    )
    linker = Linker(DuckDBAPI().register(frame, table_name="records"), settings, log_level="ERROR")
    linker.training.estimate_probability_two_random_records_match(
        [block_on("number", "g1code"), block_on("born", "pcode", "mcode", "g1code")], recall=0.8
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for rule in (
        block_on("number"),
        block_on("born", "pcode"),
        block_on("pcode", "mcode", "g1code"),
        block_on("phone"),
    ):
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, fix_probability_two_random_records_match=True, record_sample_proportion=1.0
        )
    return linker


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.0, 2.0, 4.0, 6.0])
    options = parser.parse_args()
    started = time.perf_counter()
    frame = pd.DataFrame(row(index, member.normalised) for index, member in enumerate(load(options.data)))
    print(f"normalised {time.perf_counter() - started:.1f} s")
    linker = trained(frame)
    print(f"trained {time.perf_counter() - started:.1f} s")
    predictions = linker.inference.predict(threshold_match_weight=min(options.thresholds))
    print(f"predicted {time.perf_counter() - started:.1f} s")
    truth = load_truth(options.data)
    for threshold in options.thresholds:
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predictions, threshold_match_weight=threshold
        ).as_pandas_dataframe()
        labels = clusters.set_index("unique_id")["cluster_id"].reindex(range(len(truth))).tolist()
        print(f"--- weight {threshold}, {time.perf_counter() - started:.1f} s")
        show(evaluate(labels, truth))


if __name__ == "__main__":
    main()

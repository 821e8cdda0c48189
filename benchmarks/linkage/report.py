"""An evaluation as a few lines of text, the same for every engine."""

from matching.evaluate import Estimate, Evaluation, Quality


def show(result: Evaluation) -> None:
    """Print an evaluation."""
    print(f"records {result.records}, persons {result.persons}, clusters {result.clusters}")
    for name, quality in (("pairwise", result.pairwise), ("B-cubed", result.b_cubed)):
        print(f"{name:<9}{_line(quality)}")
    print(f"over-merged {result.over_merged}, split {result.split}")


def _line(quality: Quality) -> str:
    parts = (("P", quality.precision), ("R", quality.recall), ("F1", quality.f1))
    return "  ".join(f"{name} {_estimate(value)}" for name, value in parts)


def _estimate(value: Estimate) -> str:
    return f"{value.value:.5f} [{value.low:.5f}, {value.high:.5f}]"

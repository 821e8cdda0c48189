"""The asserts of the OpenHIE suite that are not met on purpose, each with its reason; a test keeps the list honest."""

from collections.abc import Iterable, Iterator

QUOTED = "quotes the error text of one server; ERR-3 carries the code of table 0357, ERR-8 words of our own"
PROFILE = "IHE ITI TF-2 §3.9.4.2.2.6 says otherwise: AE in MSA-1 for an unknown patient, QPD^1^3^1^4 for a domain"
OWN_NUMBERS = (
    "another establishment's number in one's own PID-3 is no evidence of identity, and asked by is as unknown as none"
)
TOO_WIDE = "says too little to search by: the index is blind and finds by several facts together, never by browsing"
BEGINNINGS = "a beginning of a name narrows what other facts find; two of them alone are as good as browsing"
DIMINUTIVE = (
    "Jenn is no way of spelling Jennifer: names are found as spelt or as they sound, not by what people are called"
)
LITTLE = "what neither tells people apart nor reaches them is not kept: no language, no marital status"
MERGED = "a number that was merged away names no patient any more, and is told to nobody"
MISPRINT = "a misprint: DPD for QPD, or the identifier in QPD-2 where QPD-3 is meant"

_REASONS = (
    (QUOTED, "03-10 03-20 04-30 17-30 17-40", "ERR-1-4-2"),
    (OWN_NUMBERS, "06-40", "MSA-1 .PID-3-1 .PID-3-4-1"),
    (LITTLE, "08-30", ".PID-15 .PID-16"),
    (PROFILE, "09-10", "MSA-1"),
    (PROFILE, "09-20", "ERR-2-4 ERR-2-5"),
    (BEGINNINGS, "12-50", "MSA-1 .PID-5-1 .PID-5-2 QAK-2"),
    (DIMINUTIVE, "12-70", ".PID-5-1 .PID-5-2 QAK-2"),
    (TOO_WIDE, "14-20 14-30 14-40 15-20 15-40", "MSA-1 .PID-3(1)-1 .PID-3(1)-4-1 QAK-2"),
    (TOO_WIDE, "14-50", "MSA-1 QAK-2"),
    (TOO_WIDE, "16-20", "MSA-1 (0).PID-3-1 (1).PID-3(1)-1 QAK-2"),
    (TOO_WIDE, "16-60", "MSA-1 .PID-3(1)-1 (1).PID-3(1)-1 QAK-2"),
    (MERGED, "16-40", "(1).PID-3-1"),
    (PROFILE, "16-50", "MSA-1"),
    (MISPRINT, "16-50", "ERR-2-1"),
    (MISPRINT, "18-40", "MSA-1 .PID-3-1 .PID-3-4"),
)


def _expanded(reasons: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """`.PID` stands for `QUERY_RESPONSE/.PID`, `(1).PID` for `QUERY_RESPONSE(1)/.PID`."""
    for reason, steps, paths in reasons:
        for step in steps.split():
            for path in paths.split():
                group, point, rest = path.partition(".")
                yield f"{step} " + (f"QUERY_RESPONSE{group}/.{rest}" if point else path), reason


LEFT_OUT = dict(_expanded(_REASONS))

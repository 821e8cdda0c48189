"""Known names a mistyped one may stand for, so that a slip in a name does not hide a record from blocking."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from rapidfuzz.distance import OSA

from matching.lexicon import GIVEN_RANKS, SHORT_FORMS, SURNAME_RANKS
from matching.phonetics import phonetic, phonetic_given

SHORTEST = 4
MOST_REPAIRS = 3


class Spelling:
    """The codes of known names, found again from a name one slip away, in letters or in sound."""

    def __init__(self, ranks: Mapping[str, int], code: Callable[[str], str]) -> None:
        self.ranks: dict[str, int] = {}
        for name, rank in ranks.items():
            self.ranks.setdefault(code(name), rank)
        self.shortened: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for written, known in {(text, code(name)) for name in ranks for text in (name, code(name))}:
            for form in _shortened(written):
                self.shortened[form].append((written, known))

    def repairs(self, name: str, code: str) -> tuple[str, ...]:
        """Codes of the commonest known names one slip from an unknown one; none for a known or a short one."""
        if code in self.ranks:
            return ()
        near = {known for text in {name, code} if len(text) >= SHORTEST for known in self._near(text)}
        return tuple(sorted(near, key=lambda known: (self.ranks[known], known))[:MOST_REPAIRS])

    def _near(self, text: str) -> Iterator[str]:
        for written, known in {pair for form in _shortened(text) for pair in self.shortened.get(form, ())}:
            if len(written) >= SHORTEST and OSA.distance(text, written, score_cutoff=1) <= 1:
                yield known


def _shortened(code: str) -> Iterator[str]:
    """The code itself and with any one letter left out: two codes a slip apart have one of these in common."""
    yield code
    yield from (code[:at] + code[at + 1 :] for at in range(len(code)))


SURNAMES = Spelling(SURNAME_RANKS, phonetic)
GIVEN = Spelling(GIVEN_RANKS, phonetic_given)


@lru_cache(maxsize=65_536)
def surname_codes(name: str, code: str) -> tuple[str, ...]:
    """The codes of a surname: its own, and those it may stand for."""
    return (code, *SURNAMES.repairs(name, code))


@lru_cache(maxsize=65_536)
def given_codes(name: str, code: str) -> tuple[str, ...]:
    """The codes of a given name: its own, that of the name it is short for, and those it may stand for."""
    full = (phonetic_given(SHORT_FORMS[name]),) if name in SHORT_FORMS else ()
    return (code, *full, *GIVEN.repairs(name, code))

"""Phonetic code for Peruvian Spanish and the Spanish spellings of Quechua and Aymara names.

Published codes split Huaman, Guaman and Waman; this one writes each sound once: /w/ is W whether spelt hu, gu or w,
/k/ is K whether c, cc, q, qu or k, and so on. Vowels stay, with e/i and o/u joined as Quechua speakers hear them: a
bare consonant skeleton would put Rojas, Rios, Reyes and Ruiz together.
"""

import re
from functools import lru_cache

# Order matters: each rule sees what the ones before it left. X ends as /tʃ/, J as /x/; g is a /g/ already settled.
RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^X(?=IM)", "J"),
        (r"X", "S"),
        (r"T?C+H+|SH", "X"),
        (r"^PH", "P"),
        (r"PH", "F"),
        (r"[HG]U(?=A)|HU(?=[EIO])|GU(?=O)|^U(?=[AE])", "W"),
        (r"GU(?=[EI])", "g"),
        (r"G(?=[EIY])", "J"),
        (r"QU(?=[EI])|Q|C+K|CC|C(?![EIY])", "K"),
        (r"[CZ]", "S"),
        (r"V", "B"),
        (r"LL|Y", "I"),
        (r"H", ""),
        (r"M(?=[BPN]|$)", "N"),
        (r"E", "I"),
        (r"O", "U"),
        (r"g", "G"),
        (r"(.)\1+", r"\1"),
    )
)
GIVEN_INITIAL = re.compile(r"^(?:Y|LL)(?=[AEIOU])")


@lru_cache(maxsize=65_536)
def phonetic(name: str) -> str:
    """Code of one folded surname (capitals, no spaces): equal for spellings that sound alike in Peru."""
    code = name
    for pattern, sound in RULES:
        code = pattern.sub(sound, code)
    return code


@lru_cache(maxsize=65_536)
def phonetic_given(name: str) -> str:
    """Code of one folded given name: as `phonetic`, and Y at the start sounds as J (Yoel, Yenny, Yessica)."""
    return phonetic(GIVEN_INITIAL.sub("J", name))

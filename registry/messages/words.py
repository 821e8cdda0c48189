"""What any old telephone shows: the letters of GSM 03.38, in two segments."""

import unicodedata

LONGEST = 306
"""Two segments of GSM 03.38; longer texts are cut."""

LONGEST_NAME = 48


def plain(text: str) -> str:
    """The text in the letters of GSM 03.38 that Spanish needs: Ñ and ñ stay, other accents go."""
    kept = text.replace("ñ", "\0").replace("Ñ", "\1")
    bare = unicodedata.normalize("NFD", kept).encode("ascii", "ignore").decode()
    return bare.replace("\0", "ñ").replace("\1", "Ñ")

"""A QR drawn into the page: black on white in both themes, without a script or another host."""

import segno
from markupsafe import Markup


def qr_code(text: str) -> Markup:
    """The SVG of a QR that survives a bad camera (a quarter of it may be unreadable, ISO/IEC 18004 level Q)."""
    drawn = segno.make(text, error="q", micro=False)
    return Markup(drawn.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass="rh-qr"))  # noqa: S704  # segno's

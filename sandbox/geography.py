"""A few real districts (INEI ubigeo) and what identifies places in a Peruvian record."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class District:
    """A district with its INEI code: two digits each of department, province and district."""

    ubigeo: str
    region: str
    province: str
    name: str


DISTRICTS = tuple(
    District(*row.split("|"))
    for row in (
        "150101|LIMA|LIMA|LIMA",
        "150110|LIMA|LIMA|COMAS",
        "150128|LIMA|LIMA|RIMAC",
        "150130|LIMA|LIMA|SAN BORJA",
        "150132|LIMA|LIMA|SAN JUAN DE LURIGANCHO",
        "150140|LIMA|LIMA|SANTIAGO DE SURCO",
        "080101|CUSCO|CUSCO|CUSCO",
        "080102|CUSCO|CUSCO|CCORCA",
        "080105|CUSCO|CUSCO|SAN SEBASTIAN",
        "080106|CUSCO|CUSCO|SANTIAGO",
        "040101|AREQUIPA|AREQUIPA|AREQUIPA",
        "040104|AREQUIPA|AREQUIPA|CERRO COLORADO",
        "040112|AREQUIPA|AREQUIPA|PAUCARPATA",
        "160101|LORETO|MAYNAS|IQUITOS",
        "160108|LORETO|MAYNAS|PUNCHANA",
        "160112|LORETO|MAYNAS|BELEN",
        "210101|PUNO|PUNO|PUNO",
        "211101|PUNO|SAN ROMAN|JULIACA",
        "130101|LA LIBERTAD|TRUJILLO|TRUJILLO",
        "200101|PIURA|PIURA|PIURA",
    )
)
BY_UBIGEO = {district.ubigeo: district for district in DISTRICTS}
REGIONS = tuple(dict.fromkeys(district.region for district in DISTRICTS))


def districts_of(region: str) -> tuple[District, ...]:
    """Return the sandbox's districts of `region`."""
    return tuple(district for district in DISTRICTS if district.region == region)

"""Hypothesis strategies: records as dirty as clerks make them, and beyond."""

from datetime import date

from hypothesis import strategies as st

from matching.records import Demographics, Document, DocumentType

WORDS = (
    "QUISPE", "QUISPI", "Huamán", "GUAMAN", "DE LA CRUZ", "DE", "VDA DE ROJAS", "PEÃ‘A", "NU?EZ", "San Martín", "MA.",
    "J", "RN", "HIJO DE ROJAS", "RN GEMELAR II", "NN", "XX", "S/N", "ROSA", "ROSITA", "ROSAELVIRA", "ELVIRA",
    "JUAN CARLOS", "R0JAS", "NO REGISTRA", "MAMANI MAMANI", "PONCE DE LEON", "Y", "D'ANGELO", "ÑUSTA", "1", "",
)  # fmt: skip
NUMBERS = ("41238567", "41238576", "4123856", "10117410-2", "00000000", "012345678", "AB123456", "10101174102", "", "x")
dirty_text = st.one_of(
    st.none(),
    st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join),
    st.text(max_size=30),
    st.text("ABÑ?'. -01ÃÂ", max_size=12),
)
documents = st.builds(
    Document,
    st.sampled_from(DocumentType),
    st.one_of(st.sampled_from(NUMBERS), st.text(max_size=14)),
    st.sampled_from(["PER", "VEN", ""]),
)
births = st.one_of(
    st.none(), st.sampled_from([date(1985, 3, 12), date(1985, 12, 3), date(1985, 1, 1), date(1900, 1, 1)]), st.dates()
)
demographics = st.builds(
    Demographics,
    documents=st.lists(documents, max_size=3).map(tuple),
    paternal_surname=dirty_text,
    maternal_surname=dirty_text,
    married_surname=dirty_text,
    given_names=dirty_text,
    sex=st.sampled_from(["M", "F", None]),
    birth_date=births,
    ubigeo=st.one_of(st.none(), st.sampled_from(["150101", "1501", "15", "150100", "000000"]), st.text(max_size=8)),
    address=st.one_of(st.none(), st.sampled_from(["AV. EL SOL 12", "Avenida El Sol 12", "S/N"]), st.text(max_size=20)),
    phone=st.one_of(st.none(), st.sampled_from(["984123456", "+51984123456", "999999999"]), st.text(max_size=15)),
    mother_document=st.one_of(st.none(), documents),
    multiple_birth_order=st.one_of(st.none(), st.integers(1, 4)),
)

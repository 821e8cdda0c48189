import pytest

from matching.phonetics import phonetic, phonetic_given


@pytest.mark.parametrize(
    "spellings",
    [
        "HUAMAN GUAMAN WAMAN UAMAN",
        "QUISPE KISPE QISPE QUISPI",
        "CCORI CORI QORI KORI",
        "YUPANQUI LLUPANQUI YUPANKI",
        "VASQUEZ VAZQUEZ BASQUES",
        "ZEVALLOS CEVALLOS SEBALLOS",
        "JIMENEZ GIMENEZ XIMENES",
        "CHOQUEHUANCA CHOQUEGUANCA CHOKEWANKA",
        "CCAHUANA CAHUANA KAWANA",
        "HUILLCA WILLCA",
        "MENDOZA MENDOSA MINDUZA",
        "GUERRA GUERA",
        "HILARIO ILARIO",
    ],
)
def test_spellings_that_sound_alike_share_a_code(spellings: str) -> None:
    assert len({phonetic(name) for name in spellings.split()}) == 1


@pytest.mark.parametrize(
    "names", ["QUISPE MAMANI", "ROJAS REYES", "RIOS RUIZ", "CONDORI CHOQUE", "LEON LUNA", "GUERRA JARA"]
)
def test_different_names_keep_different_codes(names: str) -> None:
    one, other = names.split()
    assert phonetic(one) != phonetic(other)


@pytest.mark.parametrize(
    "spellings", ["YOEL JOEL", "YESSICA JESICA", "YSABEL ISABEL", "XIOMARA SIOMARA", "JHON JOHN JON"]
)
def test_given_names_that_sound_alike_share_a_code(spellings: str) -> None:
    assert len({phonetic_given(name) for name in spellings.split()}) == 1

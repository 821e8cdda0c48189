"""Secrets of the session: what derives from them and what a browser's name says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.guard import safe_return
from portal.session import derive, device, new_secret


def test_what_derives_from_a_secret_differs_by_label_and_by_secret() -> None:
    one, other = new_secret(), new_secret()
    assert len({derive(one, "state"), derive(one, "nonce"), derive(one, "verifier"), derive(other, "state"), one}) == 5
    assert derive(one, "state") == derive(one, "state")
    assert len(derive(one, "verifier")) == 43


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36", "Chrome en Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox en Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile Safari/604.1", "Safari en iPhone"),
        ("curl/8", "Navegador"),
        ("", "Navegador"),
    ],
)
def test_a_device_is_told_in_words(header: str, expected: str) -> None:
    assert device(header) == expected


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\\\\evil",
        "",
        None,
        "evil",
        "/" * 600,
        "http:///evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "///evil.example",
    ],
)
def test_nobody_is_sent_to_another_site(path: str | None) -> None:
    found = safe_return(path)
    assert found.startswith("/")
    assert not found.startswith("//")
    assert "\\" not in found


@given(st.text(max_size=80))
def test_a_return_path_is_always_ours(text: str) -> None:
    found = safe_return(text)
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))
    assert found.isprintable()


def test_a_page_of_ours_is_kept() -> None:
    assert safe_return("/mi-historia/accesos") == "/mi-historia/accesos"

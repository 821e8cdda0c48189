"""The story's browser reads pages as a person's would."""

from sandbox.demo import browser

PAGE = """<h1>Decidir</h1><style>p{color:red}</style><a href="/x.csv">csv</a>
<form method="post" action="/salir"><input type="hidden" name="csrf" value="c0"></form>
<form method="post" action="/autorizar/abc"><input type="hidden" name="csrf" value="c1">
<input type="checkbox" name="a" value="1" checked><input type="checkbox" name="b" value="2">
<button name="decision" value="permitir">Sí</button><button name="decision" value="no">No</button></form>"""


def test_forms_buttons_links_and_words() -> None:
    reader = browser.Reader()
    reader.feed(PAGE)
    first, second = reader.forms
    assert first.fields == {"csrf": "c0"}
    assert second.fields == {"csrf": "c1", "a": "1"}
    assert second.buttons == [("decision", "permitir"), ("decision", "no")]
    assert reader.links == ["/x.csv"]
    assert reader.words == ["Decidir", "csv", "Sí", "No"]

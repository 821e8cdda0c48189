"""How the candidate proved who it is, over the whole session: when it asked for tokens and about them."""

from conformance.bench import Bench
from conformance.lines import Finding, Line, Part, broken, held
from conformance.sections import Section

CLIENT = Section("Quién dice ser el candidato", Part.SERVER)


@CLIENT.line(
    Line(
        id="client.assertion",
        asked="Cómo prueba el candidato quién es, al pedir tokens y al preguntar por ellos.",
        norm="RFC 7523 §3; FAPI 2.0 §5.3.3",
        expected="una aserción por llamada: iss, sub, aud del emisor, exp, jti; con la clave registrada",
        mend="Firme una aserción nueva para cada llamada, con aud igual al emisor.",
    )
)
def assertion(bench: Bench) -> Finding:
    """Every assertion of the whole session counts."""
    wrong = [fault for fault in bench.state.faults if fault.startswith("aserción")]
    return broken("; ".join(wrong)) if wrong else held(f"{bench.state.authenticated} aserciones, todas buenas")

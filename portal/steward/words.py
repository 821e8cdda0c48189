"""The Spanish words of what stewards see: why a case is open, how fields agree, verdicts, reasons and states."""

CASE_REASONS = {
    "possible-match": "Se parecen, sin certeza",
    "close-second": "Hay dos personas posibles",
    "document-conflict": "Los documentos se contradicen",
    "birth-order-conflict": "Gemelos: el orden de nacimiento no coincide",
    "inconsistent-person": "No concuerda con el resto de la persona",
    "same-establishment": "Dos números en un mismo establecimiento",
    "former-identity": "El registro antes decía otra persona",
    "names-differ": "Según Reniec, el DNI es de otra persona",
    "verified-conflict": "Dos DNI confirmados y distintos",
    "same-verified-document": "Un DNI confirmado en dos personas",
    "contested": "El paciente dice que no es suyo",
    "claimed-duplicate": "El establecimiento dice que es el mismo paciente",
    "claimed-apart": "El establecimiento dice que son dos pacientes",
}

VERDICTS = {"same": "Es la misma persona", "different": "Son distintas", "unknown": "No sé", "undo": "Deshacer"}

GROUNDS = {
    "documents": "Los documentos",
    "names": "Los nombres y apellidos",
    "birth-date": "La fecha de nacimiento",
    "relatives": "Son parientes",
    "twins": "Son gemelos o mellizos",
    "typing-error": "Un error al digitar",
    "state-registry": "Lo que dice Reniec",
    "citizen-said": "Lo que dijo el paciente",
    "establishment-said": "Lo que dijo el establecimiento",
    "other": "Otro (explíquelo en la nota)",
}

DECISION_STATES = {
    "pending": "Espera a otra persona",
    "applied": "Hecho",
    "refused": "No se hizo",
    "undone": "Se deshizo",
}

CASE_STATES = {"open": "Abierto", "settled": "Resuelto", "superseded": "Ya no hace falta"}

STATES = {"same": "Igual", "similar": "Parecido", "different": "Distinto", "missing": "Falta"}

FIELDS = {
    "documents": "Documento",
    "paternal_surname": "Apellido paterno",
    "maternal_surname": "Apellido materno",
    "married_surname": "Apellido de casada",
    "given_names": "Nombres",
    "sex": "Sexo",
    "birth_date": "Nacimiento",
    "ubigeo": "Ubigeo",
    "address": "Dirección",
    "phone": "Teléfono",
    "mother_document": "Documento de la madre",
    "multiple_birth_order": "Orden en el parto",
}

EVIDENCE = {
    "prior": "Antes de comparar",
    "document": "Documento",
    "paternal": "Apellido paterno",
    "maternal": "Apellido materno",
    "surname_order": "Orden de los apellidos",
    "given": "Nombres",
    "sex": "Sexo",
    "birth": "Nacimiento",
    "place": "Lugar",
    "address": "Dirección",
    "phone": "Teléfono",
    "mother": "Madre",
    "birth_order": "Orden en el parto",
    "relatives": "Podrían ser parientes",
}

LEVELS = {
    "same": "igual",
    "other_type": "mismo número, otro tipo",
    "slip": "una cifra distinta",
    "adjacent": "números seguidos",
    "different": "distinto",
    "phonetic": "suena igual",
    "typo": "una letra distinta",
    "near": "se parece",
    "joined": "apellidos juntos",
    "husband": "apellido del esposo",
    "straight": "en su orden",
    "swapped": "cambiados de lugar",
    "reordered": "en otro orden",
    "variant": "forma corta del mismo",
    "short": "forma corta del mismo",
    "subset": "uno contiene al otro",
    "subset_near": "uno contiene casi al otro",
    "initial": "solo la inicial",
    "partial": "coincide en parte",
    "same_partial": "mismo año, día por defecto",
    "part": "coincide en parte",
    "year_only": "solo el año",
    "year": "mismo año",
    "close": "pocos años de diferencia",
    "generation": "una generación de diferencia",
    "district": "mismo distrito",
    "province": "misma provincia",
    "department": "mismo departamento",
    "similar": "se parece",
    "own": "número propio en uno, de la madre en otro",
    "sibling": "hermanos",
    "twin": "mellizos",
    "parent": "padre o madre e hijo",
    "missing": "falta",
}

CHECKS = {
    "verified": "Reniec confirmó DNI y nombres",
    "names-differ": "Según Reniec, el DNI es de otros nombres",
    "not-found": "Reniec no encuentra el DNI",
    "unverified": "Reniec no respondió",
}

EVENTS = {
    "linked": "se vinculó",
    "unlinked": "se desvinculó",
    "merged": "la persona se unió a otra",
    "split": "la persona volvió a separarse",
}

ACTORS = {"engine": "El motor", "steward": "Un gestor"}

CHANGES = {
    "unlink": "Se separa de su persona",
    "link": "Pasa a otra persona",
    "merge": "Dos personas se unen",
    "review": "Pregunta nueva para los gestores",
}

CHANGE_STATES = {"proposed": "Propuesto", "applied": "Aplicado", "stale": "Ya no corresponde"}

RUN_STATES = {
    "shadow": "Calculando",
    "reported": "Espera aprobación",
    "approved": "Aprobada; espera que el modelo entre en uso",
    "applying": "Aplicando",
    "applied": "Aplicada",
    "cancelled": "Cancelada",
}

REFUSED = {
    "verified-conflict": "Reniec confirmó dos DNI distintos: son dos personas y no se pueden unir.",
    "case-changed": "El caso cambió mientras lo veía. Ábralo de nuevo.",
    "other-missing": "Elija con cuál de las personas es la misma.",
    "other-gone": "La otra persona ya no está. Abra el caso de nuevo.",
    "reresolution-too-old": "El informe tiene más de 7 días: hay que calcularlo de nuevo.",
    "reresolution-index-moved": "El registro cambió demasiado desde que se calculó: hay que calcularlo de nuevo.",
    "person-replaced": "Una de las personas se unió a otra mientras tanto. Abra el caso de nuevo.",
}

AGAIN = "Abra el caso de nuevo para ver cómo está ahora."
ERRORS = {
    "not-a-steward": ("No puede hacer esto", "Su perfil de gestor ya no está vigente.",
                      "Hable con quien administra los perfiles."),
    "own-case": ("No puede decidir sobre sus registros", "Uno de estos registros lleva su documento.",
                 "Lo verá otra persona del equipo."),
    "case-taken": ("Otra persona trabaja en este caso", "Lo tomó antes que usted.", "Tome otro caso de la lista."),
    "case-closed": ("Este caso ya se cerró", "Alguien lo decidió, o los datos cambiaron.", AGAIN),
    "case-changed": ("El caso cambió mientras lo veía", "No se hizo nada.", AGAIN),
    "decision-pending": ("Una decisión espera a otra persona", "No se hizo nada.", AGAIN),
    "decision-answered": ("Esta decisión ya se respondió", "No se hizo nada.", "Abra la decisión para ver cómo quedó."),
    "second-steward-needed": ("Tiene que hacerlo otra persona", "Usted ya dio su parte.",
                              "Otra persona del equipo lo confirma con su propio ingreso."),
    "verified-conflict": ("No se pueden unir", "Reniec confirmó dos DNI distintos: son dos personas.",
                          "Si un DNI está mal, su establecimiento tiene que corregir el registro primero."),
    "data-changed": ("Los datos cambiaron desde que se decidió", "No se hizo nada.", "Rechácela y decida otra vez."),
    "undo-impossible": ("Ya no se puede deshacer", "Después pasó algo más con los mismos registros.",
                        "Deshaga primero lo último, o separe y una lo que hay ahora."),
    "not-in-force": ("No hay nada que deshacer", "Esta decisión ya no está vigente.",
                     "Abra la historia de la persona."),
    "person-replaced": ("La persona se unió a otra", "No se hizo nada.", AGAIN),
    "records-some": ("No se puede separar así", "Se separa alguno de los registros, y no todos.",
                     "Marque otros registros."),
    "reresolution-not-reported": ("Este informe ya no espera aprobación", "Se aprobó, se aplicó o se canceló.",
                                  "Abra «Revisión del modelo»."),
    "reresolution-too-old": ("El informe es demasiado viejo", "Tiene más de 7 días.", "Hay que calcularlo de nuevo."),
    "reresolution-index-moved": ("El registro cambió demasiado", "El informe habla de otro estado.",
                                 "Hay que calcularlo de nuevo."),
    "already-reviewed": ("Ya se revisó", "Una persona del equipo miró este registro y es suyo.",
                         "Si el establecimiento lo cambia, podrá avisar otra vez."),
    "contested-too-often": ("Avisó de muchos registros", "Hay un límite para poder revisarlos todos.",
                            "Espere a que se revisen los que ya avisó."),
    "contest-over": ("Este aviso ya se cerró", "Se revisó, o usted lo retiró.", "Abra «Mis registros»."),
}  # fmt: skip
"""What happened and what to do next, by the code of the refusal."""

CLAIMS = {
    "never-attended": "Nunca me atendieron allí",
    "somebody-else": "Es de otra persona",
    "wrong-data": "Los datos no son míos",
    "unknown-establishment": "No conozco ese establecimiento",
}

CLAIM_STATES = {
    "open": "En revisión: nadie puede leer ese registro",
    "upheld": "Tenía razón: ya no figura como suyo",
    "dismissed": "Se revisó y es suyo",
    "withdrawn": "Usted retiró el aviso",
}


def level(code: str) -> str:
    """How a field agrees."""
    return LEVELS.get(code, code.replace("_", " "))


def reason(code: str) -> str:
    """Why a case is open, or why the engine moved a record."""
    return CASE_REASONS.get(code) or GROUNDS.get(code) or ENGINE_REASONS.get(code, code)


ENGINE_REASONS = {
    "strong-evidence": "Evidencia fuerte",
    "no-candidate": "Nadie parecido",
    "weak-evidence": "Evidencia débil",
    "steward-ruling": "Lo decidió un gestor",
}

"""The policy every consent refers to (FHIR Consent.policy.uri): its words, its version, and a hash that binds them."""

from hashlib import sha256

from consent_broker.consents.decision import POLICY_VERSION

TEXT = f"""RENHICE: política de acceso {POLICY_VERSION}

1. Nadie lee una historia clínica sin un permiso previo y expreso de la persona o de quien la representa (Ley 30024).
2. Un permiso dice a quién, qué, para qué y hasta cuándo. Termina en siete días si no dice otra cosa, y en noventa
   como máximo. No incluye lo reservado (salud mental, VIH, violencia y otros) salvo que lo nombre.
3. Una objeción vale más que un permiso, salvo que el permiso sea más específico: nombra lo que la objeción nombra y,
   o bien se dirige a alguien más preciso, o bien, dirigido igual, es para una parte más pequeña.
4. Quien objeta después a alguien retira los permisos que le dio y que la objeción alcanza.
5. Al lector se le dice que algo está restringido, nunca qué ni por quién. Lo oculto no se menciona.
6. En una emergencia se puede leer la información clínica básica por unos minutos; la persona lo sabe y se revisa.
7. La persona puede retirar un permiso en cualquier momento; deja de valer en ese instante (Ley 29733).
8. Cada lectura, permitida o rechazada, queda anotada, y la persona la ve.
"""
DIGEST = sha256(TEXT.encode()).hexdigest()


def policy_uri(base_url: str) -> str:
    """Where the policy is published; the fragment is the SHA-256 of its text."""
    return f"{base_url}/politicas/{POLICY_VERSION}#sha256={DIGEST}"

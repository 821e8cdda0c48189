"""The rooms of the portal: each blueprint with the policy that guards it."""

from portal.account import account
from portal.account import policy as account_policy
from portal.analyst import analyst
from portal.analyst import policy as analyst_policy
from portal.assisted import assisted
from portal.assisted import policy as assisted_policy
from portal.attendance import attendance
from portal.authorise import authorise
from portal.authorise import policy as authorise_policy
from portal.claims import claims
from portal.codes import codes
from portal.codes import policy as codes_policy
from portal.desk import desk
from portal.documents import documents
from portal.emergency import emergency
from portal.establishment import establishment
from portal.establishment import policy as establishment_policy
from portal.guard import load_session
from portal.items import items
from portal.key_sign_in import key_sign_in
from portal.limits import limits
from portal.my_emergencies import my_emergencies
from portal.patient import patient
from portal.patient import policy as patient_policy
from portal.permissions import permissions
from portal.practice import policy as professional_policy
from portal.privacy import policy as privacy_policy
from portal.privacy import privacy
from portal.professional import professional
from portal.public import portal, static
from portal.representing import representing
from portal.signing_out import signing_out
from portal.steward.cases import cases
from portal.steward.decisions import decisions
from portal.steward.persons import persons
from portal.steward.reresolution import reresolution
from portal.steward.worklist import policy as steward_policy
from portal.steward.worklist import worklist
from registry.access import public, self_authenticated
from registry.app import Room


def rooms() -> list[Room]:
    """Everything a browser opens; errors are pages."""
    return [
        Room(blueprint=static, policy=public, surface="page"),
        Room(blueprint=portal, policy=load_session, surface="page"),
        Room(blueprint=signing_out, policy=self_authenticated, surface="oauth"),
        Room(blueprint=key_sign_in, policy=load_session, surface="page"),
        Room(blueprint=account, policy=account_policy, surface="page"),
        Room(blueprint=patient, policy=patient_policy, surface="page"),
        Room(blueprint=permissions, policy=patient_policy, surface="page"),
        Room(blueprint=limits, policy=patient_policy, surface="page"),
        Room(blueprint=representing, policy=patient_policy, surface="page"),
        Room(blueprint=documents, policy=patient_policy, surface="page"),
        Room(blueprint=claims, policy=patient_policy, surface="page"),
        Room(blueprint=items, policy=patient_policy, surface="page"),
        Room(blueprint=codes, policy=codes_policy, surface="page"),
        Room(blueprint=attendance, policy=patient_policy, surface="page"),
        Room(blueprint=authorise, policy=authorise_policy, surface="page"),
        Room(blueprint=professional, policy=professional_policy, surface="page"),
        Room(blueprint=assisted, policy=assisted_policy, surface="page"),
        Room(blueprint=desk, policy=professional_policy, surface="page"),
        Room(blueprint=my_emergencies, policy=patient_policy, surface="page"),
        Room(blueprint=emergency, policy=professional_policy, surface="page"),
        Room(blueprint=privacy, policy=privacy_policy, surface="page"),
        Room(blueprint=worklist, policy=steward_policy, surface="page"),
        Room(blueprint=cases, policy=steward_policy, surface="page"),
        Room(blueprint=persons, policy=steward_policy, surface="page"),
        Room(blueprint=reresolution, policy=steward_policy, surface="page"),
        Room(blueprint=decisions, policy=steward_policy, surface="page"),
        Room(blueprint=establishment, policy=establishment_policy, surface="page"),
        Room(blueprint=analyst, policy=analyst_policy, surface="page"),
    ]

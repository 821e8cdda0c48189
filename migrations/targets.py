"""Every table of the product, gathered for Alembic's comparison of models and schema."""

from consent_broker.consents import models as consents
from consent_broker.oauth import models as oauth
from portal import models as portal
from registry import outbox, sealing
from registry.audit import models as audit
from registry.database import Base
from registry.directory import models as directory
from registry.hl7v2 import models as hl7v2
from registry.identity import models as identity
from registry.identity.reresolution import models as reresolution
from registry.statistics import models as statistics

ROOMS = (sealing, audit, outbox, directory, hl7v2, identity, reresolution, consents, oauth, portal, statistics)
metadata = Base.metadata

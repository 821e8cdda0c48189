"""Every table of the product, gathered for Alembic's comparison of models and schema."""

from consent_broker.consents import models as consents
from consent_broker.desk import models as desk
from consent_broker.emergency import models as emergency
from consent_broker.oauth import models as oauth
from consent_broker.signals import models as signals
from portal import models as portal
from registry import outbox, sealing
from registry.audit import models as audit
from registry.bulk import models as bulk
from registry.bulk.export import models as export
from registry.database import Base
from registry.directory import models as directory
from registry.hl7v2 import models as hl7v2
from registry.identity import budgets
from registry.identity import models as identity
from registry.identity.reresolution import models as reresolution
from registry.locator import models as locator
from registry.messages import models as messages
from registry.statistics import models as statistics

REGISTRY = (sealing, audit, outbox, directory, hl7v2, identity, budgets, reresolution, locator, messages, statistics)
ROOMS = (*REGISTRY, bulk, export, consents, desk, emergency, oauth, signals, portal)
metadata = Base.metadata

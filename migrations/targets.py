"""Every table of the product, gathered for Alembic's comparison of models and schema."""

from registry import outbox, sealing
from registry.audit import models as audit
from registry.database import Base
from registry.directory import models as directory
from registry.identity import models as identity

ROOMS = (sealing, audit, outbox, directory, identity)
metadata = Base.metadata

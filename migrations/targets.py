"""Every table of the product, gathered for Alembic's comparison of models and schema."""

from registry.database import Base

metadata = Base.metadata

"""Run migrations as the schema's owner, one at a time, each in its own transaction, with time-outs."""

from alembic import context
from sqlalchemy import create_engine, text

from migrations.targets import metadata
from registry.settings import load_settings

ADVISORY_LOCK = 0x52454E48  # "RENH"


def run() -> None:
    """Wait for other migrators, then upgrade; a blocked table fails fast instead of blocking the product."""
    url = context.config.get_main_option("sqlalchemy.url") or load_settings().owner_database_url
    engine = create_engine(url.replace("%%", "%"))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": ADVISORY_LOCK})
        connection.execute(text("SET lock_timeout = '4s'"))
        connection.execute(text("SET statement_timeout = '60s'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": ADVISORY_LOCK})
        connection.commit()
    engine.dispose()


run()

"""What each kind of table grants to the application's role, and the trigger that keeps history append-only."""

from alembic import op

from registry.database import APP_ROLE


def append_only(*tables: str) -> None:
    """The application may add and read; nobody, the owner included, may change, delete or truncate by accident."""
    for table in tables:
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {APP_ROLE}")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION renhice_forbid_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION renhice_forbid_change()"
        )


def mutable(*tables: str, delete: bool = False) -> None:
    """The application may add, read and change; delete only where the table is a queue, a session or a key."""
    verbs = "SELECT, INSERT, UPDATE, DELETE" if delete else "SELECT, INSERT, UPDATE"
    for table in tables:
        op.execute(f"GRANT {verbs} ON {table} TO {APP_ROLE}")

"""Races are for rows and locks, and are lost by nobody for having waited long for a connection."""

import pytest
from sqlalchemy import QueuePool

from registry.app import Renhice


@pytest.fixture(scope="module", autouse=True)
def _patient_pool(renhice: Renhice) -> None:
    """Forty at once share eight connections, and a busy machine keeps the last waiting beyond the product's limit."""
    pool = renhice.database.engine.pool
    assert isinstance(pool, QueuePool)
    pool._timeout = 120

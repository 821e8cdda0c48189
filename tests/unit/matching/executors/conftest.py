"""One sample for all executors."""

import pytest

from matching.model import Model
from tests.unit.matching.executors.sample import Sample, make_sample


@pytest.fixture(scope="session")
def sample(model: Model) -> Sample:
    return make_sample(model)

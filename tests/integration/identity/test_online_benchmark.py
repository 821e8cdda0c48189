"""The scale benchmark still loads an index the registry can use, and its probes still find people in it."""

from benchmarks.online.load import load, read
from benchmarks.online.measure import measure_match, measure_registration
from benchmarks.online.probes import probes
from registry.app import Renhice
from registry.identity.service import engine_of, match

PERSONS, SEED = 60, 505


def test_a_loaded_index_is_searched_and_registered_in(renhice: Renhice, database_url: str) -> None:
    assert load(database_url, renhice.sealer, SEED, PERSONS) > PERSONS
    everybody = read(probes(SEED, 2_000))
    visitors = everybody[:20]
    for cost in (measure_match(renhice, visitors), measure_registration(renhice, visitors)):
        assert cost.p95 >= cost.p50 > 0
        assert cost.queries >= 1
    known = [one for one in everybody if int(one.local_id[1:]) <= PERSONS]
    with renhice.database.unit_of_work() as session:
        found = [match(session, engine_of(renhice), one.demographics) for one in known]
    assert sum(map(bool, found)) > len(found) // 2 > 2

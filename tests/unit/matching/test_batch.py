from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from matching.batch import Linker, Pairs, block
from matching.model import Model
from matching.normalise import Normalised
from matching.score import weigh
from matching.table import tabulate
from tests.unit.matching.conftest import MakeRecord


def link_batch(model: Model, records: Sequence[Normalised]) -> list[int]:
    """A label for every record, the smallest index of its person."""
    table = tabulate(records)
    return Linker(model, table).link(block(table))


def test_variants_of_a_person_become_one(model: Model, person: MakeRecord) -> None:
    records = [
        person(),
        person(dni="70555111", given_names="Ana", paternal_surname="Luna", phone=None, birth_date=date(1999, 5, 6)),
        person(paternal_surname="GUAMAN", phone=None),
        person(dni="", birth_date=date(1985, 12, 3)),
    ]
    assert link_batch(model, records) == [0, 1, 0, 0]


def test_one_bad_record_does_not_chain_twins(model: Model, person: MakeRecord) -> None:
    rosa = {"dni": "41238567", "given_names": "Rosa Elvira"}
    flor = {"dni": "41238568", "given_names": "Flor Isabel"}
    between = person(dni="41238567", given_names="Flor")
    records = [person(**rosa), person(**rosa), between, person(**flor), person(**flor)]
    labels = link_batch(model, records)
    assert labels[0] == labels[1] != labels[3] == labels[4]


def test_a_record_that_fits_both_of_two_people_does_not_join_them(model: Model, person: MakeRecord) -> None:
    rosa, flor = {"dni": "41238567"}, {"dni": "41238568", "given_names": "Flor"}
    vague = person(dni="", given_names=None, phone=None)
    records = [person(**rosa), person(**rosa), vague, person(**flor), person(**flor)]
    table = tabulate(records)
    linker = Linker(model, table)
    labels = linker.link(Pairs(*np.triu_indices(5, 1)))
    assert min(linker.weight(0, 2), linker.weight(2, 3)) >= model.thresholds.pair
    assert labels[0] == labels[1] != labels[3] == labels[4]


def test_a_block_too_large_is_reported_not_cut(person: MakeRecord) -> None:
    table = tabulate(person() for _ in range(6))
    assert len(block(table)) == 15
    narrow = block(table, largest=5)
    assert not len(narrow)
    assert narrow.skipped["doc"] == 1


def test_a_pair_weighs_the_same_found_or_not_and_either_way_round(model: Model, person: MakeRecord) -> None:
    records = [person(), person(dni=""), person(given_names="Rosa", phone=None)]
    table = tabulate(records)
    linker = Linker(model, table)
    linker.link(Pairs(np.array([0]), np.array([1])))
    for one, other in ((0, 1), (1, 0), (0, 2), (2, 0)):
        assert linker.weight(one, other) == pytest.approx(weigh(model, records[one], records[other]), abs=1e-9)
    assert len(linker.unblocked) == 1


def test_nothing_to_link(model: Model) -> None:
    assert link_batch(model, []) == []

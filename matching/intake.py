"""From rows of a file to records as the engine compares them, the way the model's population asks for."""

from collections.abc import Callable, Iterable, Sequence

from matching.blocking import blocking_keys
from matching.files import Row
from matching.model import Model
from matching.naming import counted_names, in_place
from matching.normalise import Normalised, normalise
from matching.records import Demographics
from matching.table import KeyMaker, Table, tabulate
from matching.wide_blocking import wide_keys

RECORDS_PER_PERSON = 1.5
"""A guess made before looking, for the odds before any evidence when nobody says how many people there are."""


def normaliser(model: Model) -> Callable[[Demographics], Normalised]:
    """What normalises a record for this model."""
    if not model.schema.names_of_its_own:
        return normalise
    return lambda record: in_place(model, record)


def with_names_of(model: Model, rows: Sequence[Row]) -> Model:
    """The model with the names counted from these rows, once as written and once more with all names in their place."""
    demographics = [model.schema.demographics(row) for row in rows]
    first = Model.from_document(counted_names(model, map(normalise, demographics)))
    return Model.from_document(counted_names(first, (in_place(first, record) for record in demographics)))


def model_for(model: Model, population: float | None, records: int) -> Model:
    """The model with the odds of so many people, or of as many as records like those it was trained on are about."""
    training = model.document.get("training", {})
    per_record = training["population_found"] / training["records"] if "population_found" in training else None
    expected = records * per_record if per_record else records / RECORDS_PER_PERSON
    return model.for_population(max(population or expected, 2.0))


def key_maker(model: Model) -> KeyMaker:
    """What makes a record's blocking keys for this model."""
    return wide_keys if model.schema.names_of_its_own else blocking_keys


class Intake:
    """Reads rows as the model's schema says."""

    def __init__(self, model: Model) -> None:
        self.schema = model.schema
        self.normalise = normaliser(model)
        self.keys_of = key_maker(model)

    def record(self, row: Row) -> Normalised:
        """The record of one row."""
        return self.normalise(self.schema.demographics(row))

    def table(self, rows: Iterable[Row]) -> Table:
        """The records of many rows, in their order."""
        return tabulate(map(self.record, rows), self.keys_of)

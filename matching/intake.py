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

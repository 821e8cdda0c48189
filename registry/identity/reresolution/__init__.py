"""A new model run over the whole index: first in the shadow, then, when two stewards approved, applied."""

"""Model files of the matching engine: weights, rank lists of names, short forms; data only."""

"""Executors in bulk: the model and the comparisons used online, over whole files, on one machine or a cluster."""

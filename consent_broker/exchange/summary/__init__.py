"""The International Patient Summary, assembled from what the gateway fetched; pure functions, nothing is kept."""

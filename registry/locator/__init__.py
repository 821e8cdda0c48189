"""Which establishment holds which record of whom."""

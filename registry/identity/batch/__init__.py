"""Many records registered in one transaction, with the outcome that registering them one after another has."""

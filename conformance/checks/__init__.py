"""The checks, one file a matter: each a line of the report and the function that judges it."""

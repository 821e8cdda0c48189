"""The authorization server; files named after the RFC they implement."""

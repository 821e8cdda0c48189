"""The gateway that fetches remote records with per-establishment tokens."""

"""Text messages to people: queued with the act they tell of, written when they leave, sent at least once."""

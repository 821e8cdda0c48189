"""Source records, persons and the events that join them."""

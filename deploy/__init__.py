"""The launcher behind ./renhice: set-up, embedded services, supervision."""

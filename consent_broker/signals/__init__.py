"""Signals: what establishments must learn at once, as signed security events pushed to those who asked for them."""

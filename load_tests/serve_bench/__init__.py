"""Serve bench: what the service adds to its engine, measured from outside."""

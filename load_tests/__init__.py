"""Load tests: what a started service answers per second, how fast, and how often not at all."""

"""Snapshots: the public contracts as they were last agreed on.

`python -m tests.contracts.snapshots` writes them anew; the difference belongs into the review.
"""

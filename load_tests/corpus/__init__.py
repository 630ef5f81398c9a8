"""Corpus: any folder of files through the running service, and a table of its verdicts."""

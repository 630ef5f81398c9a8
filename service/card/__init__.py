"""Card: the model card as markdown, written from the manifest and from nothing else."""

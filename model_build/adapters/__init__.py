"""adapters: labelled data sets on disk, each as the same records (`records.SliceSource`)."""

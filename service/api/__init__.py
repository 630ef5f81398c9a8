"""api: the HTTP skin. Converts requests to `service.types`, calls the pipeline, converts back."""

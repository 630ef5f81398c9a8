"""rpc: the gRPC skin. Converts messages to `service.types`, calls the pipeline, converts back."""

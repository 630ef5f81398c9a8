"""engine: the bounded batcher and the predictor that owns device and weights."""

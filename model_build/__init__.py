"""model_build: everything that makes the artifact; never shipped with the service."""

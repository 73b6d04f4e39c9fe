"""Pictures, data, training, provenance."""

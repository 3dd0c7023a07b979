"""The request of a user: a suite's YAML, its schema, its recipe for training, its claims."""

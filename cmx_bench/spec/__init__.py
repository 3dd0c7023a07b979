"""What was asked for: a suite's YAML, its schema, its recipe of training, its claims."""

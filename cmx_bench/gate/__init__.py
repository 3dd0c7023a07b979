"""The gate: compares two sides of a change, and decides what follows for CI."""

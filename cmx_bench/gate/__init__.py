"""The gate: two sides of a change held against each other, and what follows for CI."""

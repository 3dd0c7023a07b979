"""Members of other families that cost as much as a given model; no torch."""

"""What was measured: records, which of them count, and what they come to."""

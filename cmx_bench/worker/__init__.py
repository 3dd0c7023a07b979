"""What runs in fresh processes: cells sampled, models scored and fitted, pairs timed in turns."""

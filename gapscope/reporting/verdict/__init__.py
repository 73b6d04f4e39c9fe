"""What may be said, what to do next, and what stands against it."""

"""One arm, one seed -> weights."""

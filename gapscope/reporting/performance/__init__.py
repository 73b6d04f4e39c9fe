"""How well every arm detects, and what goes wrong."""

"""A run in the browser while it goes on."""

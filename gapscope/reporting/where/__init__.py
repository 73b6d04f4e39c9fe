"""Where in the network the arms differ."""

"""How alike two networks see the same images, layer by layer, and how sure we are."""

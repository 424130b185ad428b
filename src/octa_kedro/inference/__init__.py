"""What trained networks say of eyes without a label."""

"""One factory for 2D and 3D networks, the autoencoder, and the order of tensor axes."""

"""Training and prediction: one training loop for 2D and 3D networks. No Kedro."""

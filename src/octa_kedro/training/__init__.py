"""Training and prediction: one readable loop for both dimensions. No Kedro."""

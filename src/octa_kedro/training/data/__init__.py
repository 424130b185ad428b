"""What a network is shown: stored eyes as batches, in which order, changed how."""

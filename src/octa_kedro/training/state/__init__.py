"""What is kept of a training run on disk: its state, history, progress and trackers."""

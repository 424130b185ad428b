"""One training loop for every network: losses, optimisers, schedules, validation, devices."""

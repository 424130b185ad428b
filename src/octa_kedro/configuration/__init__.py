"""What is set for a run, wherever it was said: read, checked, and refused or warned of if it has no effect."""

"""What a user reads of errors and in the log: one line, with the cause and the remedy."""

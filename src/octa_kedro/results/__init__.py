"""Per-eye results: each is made once, kept under a key of everything it depends on, and found again."""

"""HTML pages of results, each complete in one file."""

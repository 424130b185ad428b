"""What happens round a run: versions, other runs, interruptions, and what its results were made from."""

"""Where a network looks: maps on the input's grid, their pictures, and whether they point at the lesion."""

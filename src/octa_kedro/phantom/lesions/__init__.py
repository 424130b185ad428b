"""Diseases of the macula, each at its true depth, with a mask for every lesion."""

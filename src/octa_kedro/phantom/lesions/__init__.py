"""Diseases of the macula at the depths where they lie, with a mask for every lesion."""

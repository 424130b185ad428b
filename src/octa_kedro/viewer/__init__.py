"""A page and a notebook widget that show eyes with their maps in three planes and in 3D."""

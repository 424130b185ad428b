"""A second labelled cohort, judged by networks that were trained on another one; nothing is fitted to it."""

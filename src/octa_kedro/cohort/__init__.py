"""Who is in the study: subject table, labels, splits and the leak guard. No torch, no Kedro."""

"""Files to arrays and back. No Kedro and no torch here."""

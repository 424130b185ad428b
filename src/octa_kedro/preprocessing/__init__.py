"""Pure functions from raw scans to what a network sees. No torch, no Kedro."""

"""The Realtime API on this machine."""

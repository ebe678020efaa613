"""The command tree."""

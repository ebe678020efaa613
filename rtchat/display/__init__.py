"""What the user sees: live, plain or NDJSON."""

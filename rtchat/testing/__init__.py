"""Testing a voice agent against a server that behaves like the real one (docs/testing.md)."""

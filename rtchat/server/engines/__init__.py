"""Engines of the embedded server: VAD, hearing, answering, speaking, translating."""

"""Sound: devices, files, playback, capture."""

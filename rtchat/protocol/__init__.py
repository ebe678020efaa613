"""What may be said on the wire of the Realtime API: values only, no I/O."""

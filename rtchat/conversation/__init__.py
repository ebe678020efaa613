"""What a conversation is: told inputs, asks for effects; pure."""

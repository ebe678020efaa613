"""`rtchat doctor`: what works here, how well, and what to do about the rest."""

"""`python -m rtchat`: the command line, where the script is not on the path."""

from rtchat.cli import main

main()

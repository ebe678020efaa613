"""What a test puts around a session: a scenario, faults, a seed, and time that stands still.

All of it stands between a dialogue and its socket, as a machine around a machine: told what the dialogue would be
told, it asks for the effects that the dialogue would ask for, some of them changed. So it is pure, too.

`stage` is what a server is given, `scenario` and `recorded` read what is to happen, `script` plays it.
"""

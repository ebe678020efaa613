"""What the built-in assistant can tell: a long story (to interrupt) and a few jokes. All of our own invention."""

from __future__ import annotations

import re

STORY = """
This is the story of the lighthouse that wanted to sleep. On a small island in the north there stood a lighthouse,
white with one red stripe, and it had been awake for a hundred and twelve years. Every night it turned its long arm
of light over the water, and every morning it watched the gulls go to bed late and the fishermen get up early.

One evening in November the lighthouse said to the keeper's daughter, whose name was Ines, that it was tired. Ines
was nine years old and very practical. She asked how long a lighthouse would need to sleep. One night would be
enough, said the lighthouse, if it was a long one. So Ines climbed the hundred and forty steps with a blanket, a
thermos of cocoa and the biggest torch on the island, and she told the lighthouse to close its eye.

The first ship came at ten. It was a small ship with a cargo of oranges, and its captain wondered why the light was
so thin and moved in such a funny way. Ines was writing her name on the dark with the torch. The captain read it,
laughed, and steered well clear of the rocks. The second ship came at midnight. It was a large ship with a cargo of
pianos, and all of them were slightly out of tune. Ines waved the torch in time with the waves, and the whole ship
went by, humming a low and uncertain chord.

At three in the morning the torch went out. Ines shook it, and warmed the batteries in her hands, and asked it
politely, but it was finished. Far away she saw the lights of a third ship, and it was coming straight for the
island. She did not want to wake the lighthouse, for a promise is a promise. So she took a deep breath, and she
called the gulls.

They came, complaining, two hundred of them, and they sat down on the rocks in a long white row. The moon came out
from behind a cloud to see what the noise was about. And the row of gulls shone so brightly in the moonlight that
the captain of the third ship saw the edge of every rock, turned the wheel, and sailed safely into the harbour. He
told everybody that he had seen an island smile.

In the morning the lighthouse woke up and asked if anything had happened. Nothing much, said Ines, and she went down
the hundred and forty steps to have breakfast. But since that night there has been a saucer of fish on the rocks
every Friday, and once a year, in November, the lighthouse sleeps until noon. That is the end of the story.
"""

JOKES = (
    "Why did the microphone break up with the loudspeaker? It kept hearing the same thing over and over.",
    "I told my computer a joke about sound cards. There was no reaction: the driver was missing.",
    "Why do echoes never win an argument? They only repeat what the other one said.",
    "What did the clock say to the calendar? Your days are numbered, but I will be the one to count the minutes.",
    "A packet walks into a bar. Then nothing happens for a while, and the packet walks into the bar again.",
    "Why was the number six relaxed at the party? Because seven had already eaten.",
)


def sentences(text: str) -> list[str]:
    """`text` cut behind each sentence, with its line ends made spaces."""
    return [piece for piece in re.split(r"(?<=[.!?])\s+", " ".join(text.split())) if piece]

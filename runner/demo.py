"""A recorded day, played over real MQTT into a running city, told while it goes.

In:  a running ``Embedded``, a recording, a rate.
Out: moments on a screen, and a verdict at the end.
"""

import threading
import time
from pathlib import Path

from collectors.play import Player
from runner.embedded import Embedded
from runner.labels import Labels
from runner.screen import Moment, Screen
from runner.verdict import Played, Verdict, judge

LOOK_SECONDS = 0.25
PATIENCE_SECONDS = 60.0
"""How long the processor may take for what is left in the log once all is published."""


def play_day(
    embedded: Embedded,
    recording: Path,
    rate: float,
    screen: Screen,
    labels: Labels | None,
    stopping: threading.Event,
) -> Verdict:
    """Play the recording (``rate`` times as fast as it was) and judge what came of it.

    Returns early when ``stopping`` is set, or the embedded runner fails. Raises BadInput where the labels
    are of another day, and what the player raises.
    """
    player = Player(recording, embedded.status().broker, rate)
    started = time.monotonic()
    with screen:
        player.start()
        while player.running and embedded.failure is None and not stopping.wait(LOOK_SECONDS):
            screen.show(_moment(embedded, player.share))
        player.stop()
        embedded.end_of_input()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while embedded.lag and embedded.failure is None and time.monotonic() < deadline:
            if stopping.wait(0.02):
                break
        if not stopping.is_set():
            screen.show(_moment(embedded, 1.0))
    played = Played(player.published, player.acknowledged, time.monotonic() - started)
    return judge(embedded.city, embedded.store, played, embedded.lag, labels)


def _moment(embedded: Embedded, share: float) -> Moment:
    return Moment(embedded.city, share, embedded.status(), embedded.store.incidents())

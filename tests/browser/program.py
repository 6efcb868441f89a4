"""The tracker's own command on the day on which the stories play: `python -m tests.browser.program worker`."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import time_machine

from tests.city import NOW
from tracker.cli import main

BEGAN = "STORY_BEGAN"  # the variable that carries the real time at which the story began: all processes agree

if __name__ == "__main__":
    passed = timedelta(seconds=time.time() - float(os.environ[BEGAN]))
    time_machine.travel(NOW + passed, tick=True).start()
    main()

"""What a WSGI server loads: `granian --interface wsgi wsgi:app`."""

import gc
import sys

from tracker import logs
from tracker.app import create_app
from tracker.config import SettingsError, load_settings
from tracker.db import OldSqlite

try:
    settings = load_settings()
    logs.configure(quiet=settings.demo)
    app = create_app(settings)
except (SettingsError, OldSqlite) as error:
    sys.exit(f"tracker: {error}")  # these lines say it all

# What is loaded by now stays: looking through it for garbage, time and again, took a tenth of the time of a large page.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 10, 10)

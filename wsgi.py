"""What a WSGI server loads: `granian --interface wsgi wsgi:app`."""

import sys

from tracker import logs
from tracker.app import create_app, leave_loaded_alone
from tracker.config import SettingsError, load_settings
from tracker.db import OldSqlite

try:
    settings = load_settings()
    logs.configure(quiet=settings.demo)
    app = create_app(settings)
except (SettingsError, OldSqlite) as error:
    sys.exit(f"tracker: {error}")  # these lines say it all

leave_loaded_alone()

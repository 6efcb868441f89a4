"""What a WSGI server loads: `granian --interface wsgi wsgi:app`."""

from tracker import logs
from tracker.app import create_app
from tracker.config import load_settings

settings = load_settings()
logs.configure(quiet=settings.demo)
app = create_app(settings)

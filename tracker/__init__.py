"""A tracker of responsibility checklists. The application is built by `tracker.app.create_app`.

Nothing is imported here: child processes that look into a file or lay out a page start without the web.
"""

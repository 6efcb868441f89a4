"""WHAT PEOPLE DO. One function per verb; takes session, actor=, now=; never commits, never sees a request."""

"""A tracker of responsibility checklists."""

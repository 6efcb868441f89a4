"""Background work: render, remind, re-hash."""

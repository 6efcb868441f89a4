"""The checker of audit packets: nothing but Python's standard library, and nothing of the tracker but what is here."""

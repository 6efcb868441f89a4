"""WHAT IS TRUE. Pure rules and values; no Flask, no SQLAlchemy; dates come in as arguments."""

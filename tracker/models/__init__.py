"""WHAT IS STORED. Typed tables and named constraints; no Flask."""

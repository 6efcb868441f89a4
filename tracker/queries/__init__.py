"""WHAT PAGES READ. Named reads that return rows or domain values."""

"""Evidence bytes, named by their digest."""

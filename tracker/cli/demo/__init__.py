"""`tracker demo`: an invented city with a year of work in it, built through the services alone."""

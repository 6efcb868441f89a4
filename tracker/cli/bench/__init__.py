"""`tracker bench`: how fast packets are made, against other engines that print the same content."""

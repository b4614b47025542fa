"""The routes, one module for each kind; a route says what it takes and gives, and sends the work into a lane."""

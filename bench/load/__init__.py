"""Many users at once, on the API and the bot, and what the backends say of it: `make load`."""

"""A small health coach: people write to it on Telegram, an agent answers, PostgreSQL remembers."""

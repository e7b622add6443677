"""Stand-ins that speak the real protocols over HTTP on loopback: Telegram's Bot API, Anthropic, OpenAI, USDA.

The application talks to them with its ordinary clients. What they answer, and when they fail, follows from the
content of a message or a photo, never from a hook in the application.
"""

"""What was said in a voice message."""

from .providers import Providers

__all__ = ["transcribe"]


async def transcribe(providers: Providers, audio: bytes) -> str:
    """Return the words in an Ogg voice message; empty where there are none."""
    spoken = await providers.openai.audio.transcriptions.create(
        model=providers.settings.voice_model, file=("voice.ogg", audio, "audio/ogg")
    )
    return spoken.text.strip()

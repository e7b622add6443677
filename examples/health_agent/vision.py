"""What is on a food photo, and how much of it: one call of a vision model with a structured answer."""

from pydantic import BaseModel, Field
from pydantic_ai import Agent, BinaryContent
from pydantic_ai.settings import ModelSettings

import telemetry

from .models import FoodItem
from .providers import Providers

__all__ = ["FoodPhoto", "analyze_food"]


class FoodPhoto(BaseModel):
    """The foods on a photo; none where it shows no food."""

    foods: list[FoodItem]
    confidence: float = Field(ge=0, le=1, description="how sure you are of names and amounts")


reader: Agent[object, FoodPhoto] = Agent(
    name="food-photo",
    output_type=FoodPhoto,
    instructions="Name each food on the photo and estimate grams and calories. No food: an empty list.",
    model_settings=ModelSettings(max_tokens=800),
)


async def analyze_food(providers: Providers, photo: bytes) -> FoodPhoto:
    """Return the foods on a JPEG photo. An answer that does not fit is asked for once more, then raised."""
    model = providers.vision_model()
    with telemetry.food_photo_analysis(model=model.model_name) as analysis:
        image = BinaryContent(photo, media_type="image/jpeg")
        found = (await reader.run(["What did I eat?", image], model=model)).output
        analysis.result(confidence=found.confidence, food_count=len(found.foods))
    return found

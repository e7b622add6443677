"""Calories of a food, from USDA FoodData Central."""

import asyncio
from dataclasses import dataclass
from typing import Any

import requests

from .settings import Settings

__all__ = ["Nutrition", "lookup"]

ENERGY_KCAL = 1008
"""FoodData Central's id of the nutrient "Energy" in kcal, per 100 g."""


@dataclass(frozen=True)
class Nutrition:
    """What 100 g of a food hold."""

    name: str
    calories_per_100g: float


async def lookup(settings: Settings, food: str) -> Nutrition | None:
    """Ask FoodData Central for the best match; None where it knows no such food. An HTTP error is raised."""
    return await asyncio.to_thread(_search, settings, food)


def _search(settings: Settings, food: str) -> Nutrition | None:
    parameters = {"query": food, "pageSize": "1", "api_key": settings.key("USDA_API_KEY")}
    response = requests.get(f"{settings.usda_url}/v1/foods/search", params=parameters, timeout=10)
    response.raise_for_status()
    foods = response.json()["foods"]
    return _nutrition(foods[0]) if foods else None


def _nutrition(found: dict[str, Any]) -> Nutrition | None:
    for nutrient in found["foodNutrients"]:
        if nutrient["nutrientId"] == ENERGY_KCAL:
            return Nutrition(found["description"], float(nutrient["value"]))
    return None

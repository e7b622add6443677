"""USDA FoodData Central's search, with a dozen foods."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .service import Ledger, Pace, RateWindow, failure_in

__all__ = ["FOODS", "create_app"]

FOODS = {
    "apple": ("Apples, raw, with skin", 52),
    "avocado": ("Avocados, raw, all commercial varieties", 160),
    "banana": ("Bananas, raw", 89),
    "bread": ("Bread, whole-wheat, commercially prepared", 252),
    "cheese": ("Cheese, cheddar", 403),
    "chicken": ("Chicken breast, roasted", 165),
    "coffee": ("Coffee, brewed", 1),
    "egg": ("Eggs, Grade A, Large, egg whole", 143),
    "oatmeal": ("Oatmeal, cooked with water", 71),
    "pizza": ("Pizza, cheese topping, regular crust", 266),
    "rice": ("Rice, white, long-grain, cooked", 130),
    "salad": ("Salad, mixed greens", 20),
    "yogurt": ("Yogurt, plain, whole milk", 61),
}
NO_KEY: dict[str, object] = {"error": {"code": "API_KEY_MISSING", "message": "An API key was not provided."}}


def create_app(pace: Pace) -> Starlette:
    """Return the service."""
    ledger, window = Ledger(), RateWindow(limit=1000, seconds=3600)

    async def search(request: Request) -> Response:
        query = request.query_params.get("query", "")
        await pace.wait(query.encode(), 0.12)
        status, body = _answer(query, request.query_params.get("api_key"))
        ledger.note(status)
        headers = {"X-RateLimit-Limit": str(window.limit), "X-RateLimit-Remaining": str(window.take())}
        return JSONResponse(body, status, headers)

    return Starlette(routes=[Route("/fdc/v1/foods/search", search), Route("/control/ledger", ledger.show)])


def _answer(query: str, key: str | None) -> tuple[int, dict[str, object]]:
    if not key:
        return 403, NO_KEY
    if failure := failure_in(query):
        return failure, {"error": {"code": "SERVER_ERROR", "message": "The search is not available."}}
    foods = [_food(*FOODS[word]) for word in FOODS if word in query.lower()]
    return 200, {"totalHits": len(foods), "currentPage": 1, "totalPages": 1, "foods": foods}


def _food(description: str, calories: int) -> dict[str, object]:
    energy = {
        "nutrientId": 1008,
        "nutrientName": "Energy",
        "nutrientNumber": "208",
        "unitName": "KCAL",
        "value": calories,
    }
    return {
        "fdcId": 1_000_000 + calories,
        "description": description,
        "dataType": "Foundation",
        "foodNutrients": [energy],
    }

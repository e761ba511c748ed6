"""Products' routes: a few lines each over the service."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status

from api.caller import Staff, called_by
from api.pages import CursorParameter, Limit, Page, decode_cursor, encode_cursor
from api.products.cursors import cursor_at, position_in
from api.products.views import CategoryView, ProductView
from contracts.products import (
    MAX_PRICE,
    NewCategory,
    NewProduct,
    ProductChanges,
    QuoteRequest,
    Quotes,
    Slug,
)
from services.products import search
from services.products.product import Product
from services.products.service import ProductsService


def _service(request: Request) -> ProductsService:
    service: ProductsService = request.app.state.opened.service
    return service


Products = Annotated[ProductsService, Depends(_service)]
Reference = Annotated[str, Path(max_length=100, description="a product's id or slug")]
Words = Annotated[str | None, Query(max_length=200, description="all of these words, in any order")]
Bound = Annotated[int | None, Query(ge=0, le=MAX_PRICE, description="minor units, of the cheapest variant")]
Order = Annotated[
    Literal["price", "-price", "title", "-created_at"] | None,
    Query(description="without it the newest first or, for a search, the most relevant"),
]

router = APIRouter(prefix="/v1/products", tags=["products"])
categories = APIRouter(prefix="/v1/categories", tags=["products"])
internal = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[called_by("carts", "orders")])


@router.get("")
async def list_products(
    products: Products,
    q: Words = None,
    category: Annotated[Slug | None, Query()] = None,
    min_price: Bound = None,
    max_price: Bound = None,
    sort: Order = None,
    limit: Limit = 20,
    cursor: CursorParameter = None,
) -> Page[ProductView]:
    """Products that match. Sorted pages stay whole while products are added; relevance ends at 1,000."""
    words = search.words_in(q) if q and not q.isspace() else None
    default = search.Sort.NEWEST if words is None else search.Sort.RELEVANCE
    order = search.Sort(sort) if sort is not None else default
    page = await products.search(
        search.Query(
            sort=order,
            limit=limit,
            words=words,
            category=category,
            min_price=min_price,
            max_price=max_price,
            after=position_in(cursor, order),
        )
    )
    items = [ProductView.of(product) for product in await products.in_stock(page.products)]
    return Page(items=items, next_cursor=cursor_at(order, page.next))


@router.get("/{reference}")
async def get_product(reference: Reference, products: Products) -> ProductView:
    """One product, by its id or slug."""
    return await _view(products, await products.product(reference))


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_product(body: NewProduct, products: Products, response: Response, _: Staff) -> ProductView:
    """Sell a new product."""
    created = await products.create(body)
    response.headers["location"] = f"/v1/products/{created.id}"
    return await _view(products, created)


@router.patch("/{reference}")
async def change_product(
    reference: Reference, body: ProductChanges, products: Products, _: Staff
) -> ProductView:
    """Change what is given, leave the rest. Safe to repeat."""
    return await _view(products, await products.change(reference, body))


@router.delete("/{reference}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_product(reference: Reference, products: Products, _: Staff) -> None:
    """Sell a product no more; its slug and skus are free again."""
    await products.remove(reference)


@categories.get("")
async def list_categories(
    products: Products, limit: Limit = 100, cursor: CursorParameter = None
) -> Page[CategoryView]:
    """Categories by slug."""
    after = decode_cursor(cursor, 1)
    found = await products.categories(limit + 1, str(after[0]) if after is not None else None)
    page = found[:limit]
    return Page(
        items=[CategoryView.of(category) for category in page],
        next_cursor=encode_cursor(page[-1].slug) if len(found) > limit else None,
    )


@categories.post("", status_code=status.HTTP_201_CREATED)
async def create_category(body: NewCategory, products: Products, _: Staff) -> CategoryView:
    """Open a category."""
    return CategoryView.of(await products.create_category(body))


@internal.post("/quotes", response_model=Quotes)
async def quotes(body: QuoteRequest, products: Products) -> Response:
    """What skus cost now, for our own processes; one that is not sold is absent."""
    answer = Quotes(items=await products.quotes(body.skus))
    # A checkout waits for this: serialised once, and not checked again against what it was made from.
    return Response(answer.model_dump_json(), media_type="application/json")


async def _view(products: ProductsService, product: Product) -> ProductView:
    [stocked] = await products.in_stock([product])
    return ProductView.of(stocked)

from pathlib import Path

import pytest
from pydantic import ValidationError

from cli.catalog import SeedVariant, load_catalog, load_categories


def _variants() -> dict[str, SeedVariant]:
    return {variant.sku: variant for product in load_catalog() for variant in product.variants}


def _category(slug: str, sku: str, extra: str = "") -> str:
    return f"""
title = "Shelf"
description = "A shelf."

[[products]]
slug = "{slug}"
title = "Thing"
description = "A thing."
images = ["/images/{slug}.jpg"]
variants = [{{ sku = "{sku}", title = "One size", price = 100, on_hand = 1 }}]
{extra}
"""


def test_there_is_enough_to_look_at() -> None:
    assert len(load_catalog()) >= 60
    assert len(load_categories()) >= 8


def test_every_product_stands_on_a_known_shelf_and_no_shelf_is_empty() -> None:
    assert {product.category for product in load_catalog()} == {shelf.slug for shelf in load_categories()}


def test_no_sku_is_sold_twice() -> None:
    skus = [variant.sku for product in load_catalog() for variant in product.variants]
    assert len(skus) == len(set(skus))


def test_every_price_is_positive() -> None:
    assert all(variant.price > 0 for variant in _variants().values())


def test_every_image_is_named_after_its_product() -> None:
    assert all(product.images == [f"/images/{product.slug}.jpg"] for product in load_catalog())


def test_sold_out_and_last_units_exist() -> None:
    stock = {variant.on_hand for variant in _variants().values()}
    assert {0, 1} <= stock


def test_the_demo_moka_pot_is_priced_and_stocked_as_the_demo_says() -> None:
    product = next(product for product in load_catalog() if product.slug == "moka-pot-3-cup")
    assert [(v.sku, v.price, v.on_hand) for v in product.variants] == [("KIT-MOKA-3", 3490, 40)]


def test_the_demo_coffee_is_priced_and_well_stocked() -> None:
    product = next(product for product in load_catalog() if product.slug == "yirgacheffe-washed")
    assert {v.sku: v.price for v in product.variants} == {"COF-YIRG-250": 1190, "COF-YIRG-1000": 3890}
    assert all(variant.on_hand > 100 for variant in product.variants)


def test_a_slug_in_two_files_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text(_category("twin-lamp", "HER-1"), encoding="utf-8")
    (tmp_path / "there.toml").write_text(_category("twin-lamp", "THE-1"), encoding="utf-8")
    with pytest.raises(ValueError, match="duplicate slug in the catalog: twin-lamp"):
        load_catalog(tmp_path)


def test_a_sku_in_two_files_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text(_category("lamp", "TWIN-1"), encoding="utf-8")
    (tmp_path / "there.toml").write_text(_category("stool", "TWIN-1"), encoding="utf-8")
    with pytest.raises(ValueError, match="duplicate sku in the catalog: TWIN-1"):
        load_catalog(tmp_path)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text(_category("lamp", "LMP-1", 'colour = "red"'), encoding="utf-8")
    with pytest.raises(ValidationError, match="colour"):
        load_catalog(tmp_path)

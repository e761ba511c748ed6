"""What a process takes for a setting: outside development, no weak ones."""

import pytest

from runtime.settings import PREFIX, SECRETS, SHORTEST_SECRET, MissingSetting, Settings, load_settings

LONG = "x" * SHORTEST_SECRET
PUBLIC = "https://shop.example"


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", SECRETS)
def test_a_short_secret_is_refused_by_its_name_and_never_shown(
    name: str, environ: pytest.MonkeyPatch
) -> None:
    short = "z" * (SHORTEST_SECRET - 1)
    environ.setenv(f"{PREFIX}{name.upper()}", short)
    with pytest.raises(MissingSetting, match=f"{PREFIX}{name.upper()} has fewer than 32 char") as raised:
        load_settings()
    assert "zz" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://shop.example", "http://127.0.0.1:3000", "shop.example"])
def test_people_reach_the_shop_by_https(url: str, environ: pytest.MonkeyPatch) -> None:
    environ.setenv(f"{PREFIX}PUBLIC_URL", url)
    with pytest.raises(MissingSetting, match=f"{PREFIX}PUBLIC_URL does not begin with https://"):
        load_settings()


def test_long_secrets_and_https_are_taken(environ: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        environ.setenv(f"{PREFIX}{name.upper()}", LONG)
    environ.setenv(f"{PREFIX}PUBLIC_URL", PUBLIC)
    settings = load_settings()
    assert (settings.secret(SECRETS[0]), settings.public_url) == (LONG, PUBLIC)


def test_in_development_anything_will_do(environ: pytest.MonkeyPatch) -> None:
    environ.setenv(f"{PREFIX}ENVIRONMENT", "development")
    environ.setenv(f"{PREFIX}PUBLIC_URL", "http://127.0.0.1:3000")
    for name in SECRETS:
        environ.setenv(f"{PREFIX}{name.upper()}", "x")
    load_settings()


def test_what_a_provider_gave_us_has_the_length_that_it_has(environ: pytest.MonkeyPatch) -> None:
    environ.setenv(f"{PREFIX}STRIPE_WEBHOOK_SECRET", "whsec_short")
    load_settings()


def test_every_secret_that_is_ours_to_make_is_checked() -> None:
    ours = {name for name in Settings.model_fields if name.endswith("_secret") or name == "psp_api_key"}
    assert ours - {"stripe_webhook_secret"} == set(SECRETS)


def test_a_default_is_for_development_alone(environ: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingSetting, match=f"{PREFIX}PUBLIC_URL is not set"):
        load_settings().require("public_url")
    environ.setenv(f"{PREFIX}ENVIRONMENT", "development")
    load_settings().require("public_url")
    with pytest.raises(MissingSetting, match=f"{PREFIX}COOKIE_SECRET is not set"):
        load_settings().require("cookie_secret")

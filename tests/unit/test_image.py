"""The Dockerfile and what reaches its build."""

import re

from tests.unit.deployment import DOCKERFILE, PROJECT, ROOT


def copied() -> set[str]:
    """What the Dockerfile takes from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+)", DOCKERFILE, re.MULTILINE)
    return {source for line in lines for source in line.split()[:-1]}


def test_the_image_has_every_package_and_each_exists() -> None:
    packages = {
        name.removesuffix("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert {name for name in copied() if (ROOT / name).is_dir()} == packages


def test_what_is_copied_exists_and_nothing_else_reaches_the_build() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert "*" in ignore
    assert copied() == let_in == {name for name in let_in if (ROOT / name).exists()}


def test_every_download_of_the_build_is_held_to_its_hash() -> None:
    installs = [line for line in DOCKERFILE.splitlines() if re.search(r"\bpip\b.* (install|wheel) ", line)]
    held = [line for line in installs if "--require-hashes" in line or "--no-deps" in line]
    assert held == installs
    assert any("-r requirements.lock" in line and "--require-hashes" in line for line in installs)


def test_the_build_s_own_tool_is_the_one_of_the_lock() -> None:
    pinned = (ROOT / "deploy/build.lock").read_text().partition("\n")[2].strip()
    assert pinned in (ROOT / "requirements-dev.lock").read_text()


def test_the_image_runs_as_nobody_special() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)", final, re.MULTILINE) == ["10001:10001"]


def test_the_image_says_its_version() -> None:
    assert f'image.version="{PROJECT["project"]["version"]}"' in DOCKERFILE

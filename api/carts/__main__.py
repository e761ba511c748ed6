from api.carts.app import carts_app
from api.process import run_api


def main() -> None:
    run_api("carts", carts_app)


if __name__ == "__main__":
    main()

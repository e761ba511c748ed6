from api.inventory.app import inventory_app
from api.process import run_api


def main() -> None:
    run_api("inventory", inventory_app)


if __name__ == "__main__":
    main()

from api.orders.app import orders_app
from api.process import run_api


def main() -> None:
    run_api("orders", orders_app, answers_checkouts=True)


if __name__ == "__main__":
    main()

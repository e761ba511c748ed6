from api.process import run_api
from api.products.app import products_app


def main() -> None:
    run_api("products", products_app)


if __name__ == "__main__":
    main()

from api.fulfilment.app import fulfilment_app
from api.process import run_api


def main() -> None:
    run_api("fulfilment", fulfilment_app)


if __name__ == "__main__":
    main()

from api.payments.app import payments_app
from api.process import run_api


def main() -> None:
    run_api("payments", payments_app)


if __name__ == "__main__":
    main()

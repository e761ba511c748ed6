from api.payments.app import payments_app
from api.process import run_api
from services.payments.factory import provider_settings


def main() -> None:
    run_api("payments", payments_app, needs=provider_settings)


if __name__ == "__main__":
    main()

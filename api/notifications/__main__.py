from api.notifications.app import notifications_app
from api.process import run_api


def main() -> None:
    run_api("notifications", notifications_app)


if __name__ == "__main__":
    main()

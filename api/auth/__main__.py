from api.auth.app import auth_app
from api.process import run_api


def main() -> None:
    run_api("auth", auth_app, needs=lambda _: ["auth_key_secret", "public_url"])


if __name__ == "__main__":
    main()

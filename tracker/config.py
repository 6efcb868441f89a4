"""Settings: frozen, from the environment (`TRACKER_…`, or `TRACKER_…_FILE` for a secret), every error at once."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tracker.domain.store_place import is_bucket, place_of

CHECKOUT = Path(__file__).resolve().parent.parent
SECRETS = ("secret_key", "password_salt")  # made on first use where nothing gives them
GIVEN_SECRETS = ("signing_passphrase", "store_secret", "metrics_token")
_DATABASES = {"sqlite", "postgresql", "postgresql+psycopg"}
_REDIS = {"redis", "rediss", "unix"}
_ESCAPES = "in a user or password write %40 for @, %3A for : and %2F for /"


class SettingsError(Exception):
    """The environment does not make a complete set of settings; the message names each thing that is wrong."""


class Settings(BaseSettings):
    """How one installation runs. Sizes are in bytes, times in the unit that the name says."""

    model_config = SettingsConfigDict(env_prefix="TRACKER_", frozen=True, extra="ignore")

    data_dir: Path = Path("instance")
    database_url: str = ""
    store_url: str = ""
    store_key_id: str = Field(default="", validate_default=True)  # after store_url, which says whether it is needed
    store_secret: SecretStr = Field(default=SecretStr(""), validate_default=True)
    secret_key: SecretStr
    password_salt: SecretStr
    queue_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    https: bool = False
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    password_profile: Literal["gb22239", "asvs"] = "gb22239"  # noqa: S105  a name, not a password
    second_factor_roles: str = ""
    file_limit: int = Field(default=50 * 1024**2, gt=0)
    request_limit: int = Field(default=256 * 1024**2, gt=0)
    organization_limit: int = Field(default=5 * 1024**3, gt=0)
    free_space_floor: int = Field(default=500 * 1024**2, ge=0)
    clamd: str = ""
    fangsong_font: Path | None = None
    biaosong_font: Path | None = None
    signing_key: Path | None = None
    signing_passphrase: SecretStr = SecretStr("")
    timestamp_url: str = ""
    trusted_certificates: Path | None = None
    packet_limit: int = Field(default=200 * 1024**2, gt=0)
    packet_sm3: bool = False
    metrics_token: SecretStr = SecretStr("")
    demo: bool = False
    allow_old_sqlite: bool = False

    @field_validator("secret_key", "password_salt")
    @classmethod
    def _is_secret(cls, secret: SecretStr) -> SecretStr:
        if not secret.get_secret_value():
            raise ValueError("is empty; give it a value, or leave it out")
        return secret

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, url: str) -> str:
        if url:
            check_database(url)
        return url

    @field_validator("store_url")
    @classmethod
    def _is_store(cls, url: str) -> str:
        if url:
            place_of(url)
        return url

    @field_validator("queue_url")
    @classmethod
    def _is_queue(cls, url: str) -> str:
        scheme = url.partition(":")[0]
        if scheme in _REDIS:
            _check_redis(url)
        elif url and scheme not in _DATABASES:
            raise ValueError(f"{scheme!r} is not known; there are sqlite, redis and postgresql")
        elif url:
            check_database(url)
        return url

    @field_validator("store_key_id", "store_secret")
    @classmethod
    def _is_given_for_a_bucket(cls, value: str | SecretStr, found: ValidationInfo) -> str | SecretStr:
        given = value.get_secret_value() if isinstance(value, SecretStr) else value
        if is_bucket(found.data.get("store_url", "")) and not given:
            raise ValueError("is missing; a bucket needs a key and its secret")
        return value

    @property
    def queue_is_redis(self) -> bool:
        """Whether the queue, and the limits of attempts, are kept by a Redis that all processes share."""
        return self.queue_url.partition(":")[0] in _REDIS

    @property
    def database(self) -> str:
        """The database URL; by default a SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'tracker.sqlite3'}"

    @property
    def store_dir(self) -> Path:
        """The folder of the evidence store where no other place is set; what arrives for a bucket lies there first."""
        return self.data_dir.resolve() / "evidence"

    @property
    def preview_dir(self) -> Path:
        """The folder of re-encoded previews, which can be made anew at any time."""
        return self.data_dir.resolve() / "previews"

    @property
    def result_dir(self) -> Path:
        """The folder of files that jobs made."""
        return self.data_dir.resolve() / "results"

    @property
    def section_dir(self) -> Path:
        """The folder of laid-out sections and drawn pages of packets, which can be made anew at any time."""
        return self.data_dir.resolve() / "sections"

    @property
    def font_dir(self) -> Path:
        """The folder of prepared fonts."""
        return self.data_dir.resolve() / "fonts"


def check_database(url: str) -> None:
    """Raise ValueError in words of ours: where a password was not escaped, those of the library repeat a part of it."""
    try:
        driver = make_url(url).drivername
    except (ArgumentError, ValueError):
        form = "postgresql+psycopg://user:password@host:port/name or sqlite:////path"
        raise ValueError(f"should be {form}; {_ESCAPES}") from None
    if driver not in _DATABASES:
        raise ValueError(f"{driver!r} is not known; there are sqlite and postgresql+psycopg")


def _check_redis(url: str) -> None:
    """Raise ValueError in words of ours. A database that is no number would silently be number 0."""
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme == "unix" or (parts.port != 0 and re.fullmatch("/?[0-9]*", parts.path))
    except ValueError:
        is_sound = False
    if not is_sound:
        raise ValueError(f"should be redis://:password@host:port/0 or unix:///path; {_ESCAPES}")


def _secret_of_installation(data_dir: Path, name: str) -> str:
    """Return the installation's own random secret, made on first use in the data folder, readable by its owner only."""
    path = data_dir / "keys" / name
    for folder in (data_dir, path.parent):  # parents that `mkdir` makes on its way would be open to everybody
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text().strip()


def load_settings(**overrides: object) -> Settings:
    """Return the settings of this process, or raise `SettingsError` that lists everything wrong.

    Secrets come from `TRACKER_SECRET_KEY` / `TRACKER_SECRET_KEY_FILE`, else from the data folder.
    """
    values: dict[str, object] = {key: value for key, value in overrides.items() if value is not None}
    faults = _take_secrets(values)
    try:
        settings = Settings(**values)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        faults += map(_line, error.errors())
    if faults:
        raise SettingsError("\n".join(dict.fromkeys(faults)))  # raised here, for what was entered may hold a password
    return settings


def _take_secrets(values: dict[str, object]) -> list[str]:
    """Add the secrets that stand in files, and say which could not be read: those that are named, then our own."""
    data_dir = Path(str(values.get("data_dir") or os.environ.get("TRACKER_DATA_DIR") or "instance"))
    faults = []
    for name in (*SECRETS, *GIVEN_SECRETS):
        variable = f"TRACKER_{name.upper()}"
        if name in values or variable in os.environ:
            continue
        file = os.environ.get(f"{variable}_FILE")
        try:
            if file:
                values[name] = Path(file).read_text().strip()
            elif name in SECRETS:
                values[name] = _secret_of_installation(data_dir, name)
        except (OSError, UnicodeDecodeError) as error:
            values[name] = "not read"  # so that nothing more is said of it
            what = f"{variable}_FILE: {file}" if file else f"TRACKER_DATA_DIR: {data_dir / 'keys'}"
            faults.append(f"{what} cannot be used: {getattr(error, 'strerror', None) or 'it is no text'}")
    return faults


def _line(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"TRACKER_{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message

"""The preferences of an agent: sections, each with a model that the room which uses it declares."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from homeportd.errors import invalid, not_found
from homeportd.preferences.store import PreferenceStore
from homeportd.secret_box import SecretBox
from homeportd.signal import Signal

M = TypeVar("M", bound=BaseModel)

_log = logging.getLogger(__name__)


class Preferences:
    """All sections, in memory. A room declares its own, before `load` or after.

    A section's model has a default for each field; one of the type `SecretStr | None` is a secret, encrypted at rest.
    """

    def __init__(self, store: PreferenceStore, key: bytes) -> None:
        self.changed: Signal[[str]] = Signal()  # the name of a section
        self._store = store
        self._box = SecretBox(key, "preferences")
        self._kept: dict[str, dict[str, Any]] = {}  # as `load` found it
        self._sections: dict[str, BaseModel] = {}

    def declare(self, name: str, model: type[BaseModel]) -> None:
        """Add a section, with what was kept of it."""
        self._sections[name] = self._read(name, model)

    @property
    def sections(self) -> dict[str, BaseModel]:
        """Section -> its present values."""
        return dict(self._sections)

    async def load(self) -> None:
        """Read what was kept; a section or secret that cannot be read has its defaults. Raises sqlite3.Error."""
        self._kept = await self._store.all()
        for name, section in self._sections.items():
            self._sections[name] = self._read(name, type(section))

    def get(self, name: str, model: type[M]) -> M:
        """The present values of a section."""
        section = self._sections[name]
        assert isinstance(section, model)  # noqa: S101 - as it was declared
        return section

    async def update(self, changes: dict[str, dict[str, Any]]) -> None:
        """Change fields of sections; None gives a field its default again.

        All of them or none: raises Problem 422 for a wrong value, 404 for an unknown section; sqlite3.Error.
        """
        made = {name: self._changed(name, values) for name, values in changes.items()}
        for name, section in made.items():
            await self._store.save(name, self._sealed(name, section))
            self._sections[name] = section
            self.changed.emit(name)

    def _read(self, name: str, model: type[BaseModel]) -> BaseModel:
        try:
            return model.model_validate(self._opened(name, model, self._kept.get(name, {})))
        except ValidationError as error:
            _log.warning("the settings %s of an earlier release are not used: %s", name, error)
            return model()

    def _changed(self, name: str, values: dict[str, Any]) -> BaseModel:
        section = self._sections.get(name)
        if section is None:
            raise not_found(f"the section {name!r} of the settings", "homeport settings lists them")
        merged = {**section.model_dump(), **values}
        try:
            return type(section).model_validate(
                {field: value for field, value in merged.items() if value is not None}
            )
        except ValidationError as error:
            # Not `error` itself, which would repeat a secret.
            said = "; ".join(
                f"{name}.{'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}"
                for item in error.errors()
            )
            raise invalid(said, "correct these values") from None

    def _sealed(self, name: str, section: BaseModel) -> dict[str, Any]:
        values = {}
        for field, value in section.model_dump(mode="python").items():
            secret = isinstance(value, SecretStr)
            values[field] = self._box.seal(value.get_secret_value(), f"{name}.{field}") if secret else value
        return values

    def _opened(self, name: str, model: type[BaseModel], kept: dict[str, Any]) -> dict[str, Any]:
        values = {}
        for field, value in kept.items():
            if field not in model.model_fields or value is None:
                continue
            values[field] = value
            if is_secret(model, field):
                try:
                    values[field] = self._box.open(str(value), f"{name}.{field}")
                except ValueError:
                    _log.warning("the setting %s.%s was encrypted with another key, and is lost", name, field)
                    del values[field]
        return values


def is_secret(model: type[BaseModel], field: str) -> bool:
    """Whether a field of a section is a secret."""
    return "SecretStr" in str(model.model_fields[field].annotation)

"""The routes of the settings that the owner changes at run time."""

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Body, Depends
from pydantic import BaseModel, ConfigDict, create_model

from homeportd.auth.guard import Guard
from homeportd.http import NoBool, problems
from homeportd.preferences.service import Preferences, is_secret


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


def router(preferences: Preferences, guard: Guard) -> APIRouter:
    """The routes of this room, with the sections that are declared by now."""
    routes = APIRouter(prefix="/api/settings", tags=["settings"], dependencies=[Depends(guard)])
    models = {name: type(section) for name, section in preferences.sections.items()}
    views: dict[str, Any] = {name: (_view(name, model), ...) for name, model in models.items()}
    bodies: dict[str, Any] = {name: (_body(name, model) | None, None) for name, model in models.items()}
    View: Any = create_model(
        "SettingsView",
        __doc__="Settings that may be changed here. Of a secret it is shown whether there is one.",
        **views,
    )
    SettingsBody: Any = create_model(
        "SettingsBody",
        __base__=_Body,
        __doc__="Changes; what is left out stays as it is, null gives a setting its default again.",
        **bodies,
    )

    def shown() -> dict[str, dict[str, Any]]:
        found = {}
        for name, section in preferences.sections.items():
            values = section.model_dump()
            found[name] = {
                field: value is not None if is_secret(type(section), field) else value
                for field, value in values.items()
            }
        return found

    @routes.get("", responses=problems(401), response_model=View)
    async def read_settings() -> dict[str, dict[str, Any]]:
        return shown()

    @routes.put("", responses=problems(400, 401, 403, 413, 422, 503), response_model=View)
    async def change_settings(body: Annotated[SettingsBody, Body()]) -> dict[str, dict[str, Any]]:
        await preferences.update(
            {
                name: getattr(body, name).model_dump(exclude_unset=True)
                for name in body.model_fields_set
                if getattr(body, name) is not None
            }
        )
        return shown()

    return routes


def _view(name: str, model: type[BaseModel]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        field: (bool if is_secret(model, field) else info.annotation, ...)
        for field, info in model.model_fields.items()
    }
    made: type[BaseModel] = create_model(f"{name.capitalize()}SettingsView", __doc__=model.__doc__, **fields)
    return made


def _body(name: str, model: type[BaseModel]) -> Any:
    fields: dict[str, Any] = {}
    for field, info in model.model_fields.items():
        kind: Any = info.annotation
        number = int in (kind, *get_args(kind))
        for part in (*info.metadata, *([NoBool] if number else [])):
            kind = Annotated[kind, part]
        fields[field] = (kind | None, None)
    return create_model(f"{name.capitalize()}SettingsBody", __base__=_Body, __doc__=model.__doc__, **fields)

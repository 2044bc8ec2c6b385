"""Frozen settings: the base of every config model, and how one is read from YAML with overrides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from phipd_sim2real.errors import UsageError


class Settings(BaseModel):
    """A frozen config section: unknown keys are refused, field docstrings become help texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


S = TypeVar("S", bound=Settings)


def load_settings(model: type[S], path: Path | None, overrides: Sequence[str] = ()) -> S:
    """Reads one settings model from a YAML file and dotted overrides.

    Args:
        model: the settings class.
        path: YAML file; None takes the model's defaults.
        overrides: `section.key=value` strings, values parsed as YAML, applied in order.

    Raises:
        UsageError: missing file, broken YAML, unknown key or a value outside its range.
    """
    values = read_yaml(path) if path is not None else {}
    for override in overrides:
        _apply_override(values, override)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        origin = str(path) if path is not None else "the defaults"
        raise UsageError(
            f"{origin} with {list(overrides)} is not a valid {model.__name__}: {_explain(error, model)}"
        ) from error


def settings_hash(settings: BaseModel) -> str:
    """SHA-256 (hex) of the settings' canonical JSON: equal settings, equal hash."""
    canonical = json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_yaml(path: Path) -> dict[str, Any]:
    """The sections of a YAML file.

    Raises:
        UsageError: it is absent, or no YAML with sections.
    """
    if not path.is_file():
        raise UsageError(f"There is no config file {path}; give an existing YAML file with --config.")
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} holds a {type(values).__name__} at the top; a config is a mapping of sections.")
    return values


def _apply_override(values: dict[str, Any], override: str) -> None:
    dotted, separator, text = override.partition("=")
    if not separator or not dotted:
        raise UsageError(f"The override {override!r} is not of the form section.key=value.")
    *sections, key = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UsageError(f"The override {override!r} goes through {section!r}, which is a value, not a section.")
    try:
        values[key] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"The value of the override {override!r} is not valid YAML: {error}") from error


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One sentence per problem, with the allowed keys where a key is unknown."""
    sentences = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            allowed = ", ".join(sorted(_section(model, problem["loc"][:-1]).model_fields))
            sentences.append(f"unknown key {where!r} (allowed here: {allowed})")
        else:
            given = "" if isinstance(problem["input"], dict) else f" (given {problem['input']!r})"
            sentences.append(f"{where or 'config'}: {problem['msg'].removeprefix('Value error, ')}{given}")
    return "; ".join(sentences) + "."


def _section(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel]:
    for part in location:
        field = model.model_fields.get(str(part))
        if field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return model

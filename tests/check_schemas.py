"""Checks pipelines/schema/*.json with the real `jsonschema` and PyYAML: our own files fit, and misspelt ones do not.

    pip install jsonschema pyyaml
    python tests/check_schemas.py
"""

import copy
import json
import pathlib

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).parent.parent / "pipelines"


def errors(validator, document):
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(document)]


def keys(document, path=()):
    if isinstance(document, dict):
        for key, value in document.items():
            yield path + (key,)
            yield from keys(value, path + (key,))


# Below these the names are the user's own.
FREE = {"vars", "stages", "each", "set", "args", "deps"}

for schema, pattern in [("pipeline", "*.yaml"), ("preset", "presets/*.yaml")]:
    description = json.loads((ROOT / "schema" / f"{schema}.json").read_text())
    jsonschema.Draft7Validator.check_schema(description)
    validator = jsonschema.Draft7Validator(description)
    for path in sorted(ROOT.glob(pattern)):
        document = yaml.safe_load(path.read_text())
        assert not errors(validator, document), (path, errors(validator, document))
        n_misspelt = 0
        for key in keys(document):
            if len(key) > 1 and key[-2] in FREE:
                continue
            changed = copy.deepcopy(document)
            at = changed
            for part in key[:-1]:
                at = at[part]
            at[key[-1] + "x"] = at.pop(key[-1])
            assert errors(validator, changed), f"{path}: {'.'.join(key)}x was let through"
            n_misspelt += 1
        print(f"{path.relative_to(ROOT)}: fits; each of {n_misspelt} misspelt keys is refused")

"""The page at /docs: the merged document as plain HTML, nothing loaded from anywhere."""

from collections import defaultdict
from collections.abc import Sequence
from html import escape
from itertools import chain

from pydantic import JsonValue

from api.gateway.openapi import Object, as_list, as_object

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --dim: #777; --wide: 60rem }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: var(--wide); padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.2rem; text-transform: capitalize }
nav a { margin-right: 1rem } p.note { color: var(--dim) }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .4rem 0 }
summary { cursor: pointer; padding: .5rem .8rem } summary code { font-weight: 600 }
details > div { padding: 0 .9rem .7rem; overflow-x: auto }
.badge { border-radius: .3rem; color: #fff; display: inline-block; font: 700 12px/1.7 monospace;
  margin-right: .5rem; min-width: 4rem; text-align: center; text-transform: uppercase }
.get { background: #2563eb } .post { background: #15803d } .put { background: #b45309 }
.patch { background: #7c3aed } .delete { background: #b91c1c }
.who { color: var(--dim); float: right; font-size: 13px }
table { border-collapse: collapse; margin: .3rem 0 .8rem } th { color: var(--dim); font-weight: 500 }
td, th { border-bottom: 1px solid var(--soft); padding: .25rem .9rem .25rem 0; text-align: left;
  vertical-align: top }
h4 { margin: .7rem 0 .2rem } .deprecated code { text-decoration: line-through }
"""


def page(document: Object) -> str:
    """The document as a page: operations by tag, then the shapes that they take and answer."""
    info = as_object(document.get("info"))
    schemas = as_object(as_object(document.get("components")).get("schemas"))
    by_tag: dict[str, list[str]] = defaultdict(list)
    for path, item in as_object(document.get("paths")).items():
        for method, operation in as_object(item).items():
            tag = _text(next(iter(as_list(as_object(operation).get("tags"))), "other"))
            by_tag[tag].append(_operation(method, path, as_object(operation)))
    sections = [(tag, "".join(operations)) for tag, operations in sorted(by_tag.items())]
    sections.append(("schemas", "".join(_schema(name, as_object(one)) for name, one in schemas.items())))
    links = "".join(f'<a href="#{tag}">{tag}</a>' for tag, _ in sections)
    bodies = "".join(f'<h2 id="{tag}">{tag}</h2>{body}' for tag, body in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(info.get('title'))} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{_text(info.get('title'))} API</h1><p>{_text(info.get('description'))}</p>"
        f'{_missing(document)}<nav>{links}<a href="/openapi.json">openapi.json</a>'
        '<a href="/asyncapi.json">asyncapi.json</a></nav>'
        f"{bodies}</body></html>"
    )


def _missing(document: Object) -> str:
    names = ", ".join(_text(name) for name in as_list(document.get("x-unavailable")))
    return f'<p class="note">Not answering now, so left out: {names}.</p>' if names else ""


def _operation(method: str, path: str, operation: Object) -> str:
    bodies = as_object(as_object(operation.get("requestBody")).get("content"))
    parts = [
        f"<p>{_text(operation.get('description') or operation.get('summary'))}</p>",
        _parameters(as_list(operation.get("parameters"))),
        "".join(f"<h4>Body</h4>{_content(kind, one)}" for kind, one in bodies.items()),
        _responses(as_object(operation.get("responses"))),
    ]
    deprecated = ' class="deprecated"' if operation.get("deprecated") else ""
    return (
        f'<details><summary{deprecated}><span class="badge {escape(method)}">{escape(method)}</span>'
        f'<code>{escape(path)}</code><span class="who">{_who(operation)}</span></summary>'
        f"<div>{''.join(parts)}</div></details>"
    )


def _who(operation: Object) -> str:
    if role := operation.get("x-role"):
        return f"{_text(role)} only"
    schemes = set(chain.from_iterable(as_object(one) for one in as_list(operation.get("security"))))
    if "orderToken" in schemes:
        return "the buyer: signed in, or by X-Order-Token"
    return "anyone" if {} in as_list(operation.get("security")) else "signed in"


def _parameters(parameters: list[JsonValue]) -> str:
    rows = [
        (
            f"<code>{_text(one.get('name'))}</code>{' *' if one.get('required') else ''}",
            _text(one.get("in")),
            _type(one.get("schema")),
            _text(one.get("description")),
        )
        for one in map(as_object, parameters)
    ]
    return f"<h4>Parameters</h4>{_table(('name', 'in', 'type', ''), rows)}" if rows else ""


def _responses(responses: Object) -> str:
    rows = []
    for status, response in sorted(responses.items()):
        problem = "$ref" in as_object(response)
        content = as_object(as_object(response).get("content"))
        shapes = "".join(_content(kind, one) for kind, one in content.items())
        said = "a problem" if problem else _text(as_object(response).get("description"))
        rows.append((escape(status), '<a href="#Problem">Problem</a>' if problem else shapes, said))
    return f"<h4>Answers</h4>{_table(('status', 'body', ''), rows)}"


def _content(kind: str, content: JsonValue) -> str:
    note = "" if kind == "application/json" else f" <code>{escape(kind)}</code>"
    return f"{_type(as_object(content).get('schema'))}{note}"


def _schema(name: str, schema: Object) -> str:
    required = as_list(schema.get("required"))
    rows = [
        (
            f"<code>{escape(field)}</code>{' *' if field in required else ''}",
            _type(shape),
            _text(as_object(shape).get("description")),
        )
        for field, shape in as_object(schema.get("properties")).items()
    ]
    body = _table(("field", "type", ""), rows) if rows else _type(schema)
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<div><p>{_text(schema.get('description'))}</p>{body}</div></details>"
    )


def _type(value: JsonValue) -> str:
    """A schema in a few words, linked where it has a name."""
    schema = as_object(value)
    if isinstance(ref := schema.get("$ref"), str):
        name = escape(ref.rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for choice in ("anyOf", "oneOf", "allOf"):
        if options := as_list(schema.get(choice)):
            return " | ".join(_type(option) for option in options)
    if "enum" in schema or "const" in schema:
        return " | ".join(
            f"<code>{_text(one)}</code>" for one in as_list(schema.get("enum", [schema.get("const")]))
        )
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items'))}"
    limits = [
        f"{word} {_text(schema[key])}"
        for key, word in (("minimum", "≥"), ("maximum", "≤"), ("minLength", "from"), ("maxLength", "up to"))
        if key in schema
    ]
    words = [_text(schema.get("type", "any")), _text(schema.get("format")), *limits]
    return " ".join(word for word in words if word)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _text(value: JsonValue) -> str:
    return "" if value is None else escape(str(value))

"""Finds a file in a Python package index (the simple API, as HTML or JSON), a page of links, or a folder of wheels."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

import httpx

from asr_service.infrastructure.artifacts.pip_configuration import IndexConfiguration
from asr_service.infrastructure.artifacts.staging import SourceFailed

# https://packaging.python.org/en/latest/specifications/simple-repository-api/
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


def locations(configuration: IndexConfiguration, package: str) -> list[str]:
    """Where the package's files may be listed, in the order of asking."""
    normalized = re.sub(r"[-_.]+", "-", package).lower()
    return [*configuration.find_links, *(f"{index.rstrip('/')}/{normalized}/" for index in configuration.indexes)]


def find_link(client: httpx.Client, location: str, filename: str) -> str | None:
    """The address of the file, if the location lists it; files on this machine get a ``file:`` address.

    Raises:
        SourceFailed: The location cannot be read.
    """
    folder = local_path(location)
    if folder is None:
        return _links_of_page(client, location).get(filename)
    if (folder / filename).is_file():
        return (folder / filename).absolute().as_uri()
    page = folder / "index.html" if folder.is_dir() else folder
    if not page.is_file():
        return None
    return _links_in_html(page.read_text(encoding="utf-8", errors="replace"), page.absolute().as_uri()).get(filename)


def local_path(location: str) -> Path | None:
    """The path that a ``file:`` address or a plain path means; ``None`` for anything on a network."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in location else Path(location).expanduser()


def without_credentials(location: str) -> str:
    """The location as it may be shown and logged."""
    parts = urlsplit(location)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _links_of_page(client: httpx.Client, location: str) -> dict[str, str]:
    try:
        response = client.get(location, headers={"Accept": _ACCEPT})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceFailed(f"{type(error).__name__}: {error}") from error
    if response.status_code == httpx.codes.NOT_FOUND:
        return {}
    if response.is_error:
        raise SourceFailed(f"HTTP status {response.status_code}")
    base = str(response.url)
    if response.headers.get("Content-Type", "").partition(";")[0].endswith("+json"):
        links = _links_in_json(response.text, base)
    else:
        links = _links_in_html(response.text, base)
    return {filename: _with_credentials_of(location, link) for filename, link in links.items()}


def _links_in_json(text: str, base: str) -> dict[str, str]:
    try:
        return {file["filename"]: urljoin(base, file["url"]) for file in json.loads(text)["files"]}
    except (ValueError, LookupError, TypeError) as error:
        raise SourceFailed("the index sent JSON that is no package listing") from error


def _links_in_html(text: str, base: str) -> dict[str, str]:
    parser = _AnchorParser()
    parser.feed(text)
    links = (urldefrag(urljoin(base, href)).url for href in parser.hrefs)
    return {unquote(urlsplit(link).path.rpartition("/")[2]): link for link in links}


def _with_credentials_of(location: str, link: str) -> str:
    """Gives the link the location's user and password when both are on one host, as pip does."""
    asked, found = urlsplit(location), urlsplit(link)
    if "@" in asked.netloc and asked.netloc.rpartition("@")[2] == found.netloc:
        return urlunsplit(found._replace(netloc=asked.netloc))
    return link


class _AnchorParser(HTMLParser):
    """Collects the targets of the page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)

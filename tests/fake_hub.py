"""A server on this machine that speaks as much of the Hub's protocol as fetching and publishing need."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

API = "/api/models/"


@dataclass
class Repository:
    """Files by commit, commits by branch or tag; ``refusal``: status and error code that any reader gets."""

    private: bool = False
    refusal: tuple[int, str] | None = None
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], ref: str = "main") -> str:
        """Put files on top of a branch; returns the commit's name."""
        whole = {**self.commits.get(self.refs.get(ref, ""), {}), **files}
        name = hashlib.sha1(repr((len(self.commits), sorted(whole.items()))).encode()).hexdigest()
        self.commits[name] = whole
        self.refs[ref] = name
        return name

    def at(self, revision: str) -> str | None:
        """The commit that a revision means."""
        return self.refs.get(revision, revision if revision in self.commits else None)


@dataclass
class FakeHub:
    """What the server has, whom it lets write (the holder of ``token``, if any), and what it was asked for."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    token: str | None = None
    cut: int | None = None  # bytes after which a download ends, where it does
    address: str = ""

    def add(self, name: str, folder: Path, **more: bytes) -> Repository:
        """A repository with the files of a folder."""
        repository = self.repositories.setdefault(name, Repository())
        repository.commit({file.name: file.read_bytes() for file in folder.iterdir()} | more)
        return repository

    def fetched(self) -> set[str]:
        """Names of the files that were downloaded or asked about."""
        return {line.rsplit("/", 1)[1] for line in self.asked if "/resolve/" in line}


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, hub: FakeHub, *args: Any):
        self.hub = hub
        super().__init__(*args)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: Any = b"", **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _path(self) -> str:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        return path

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self._path()
        parts = path.removeprefix(API).strip("/").split("/")
        name, what, rest = "/".join(parts[:2]), parts[2] if len(parts) > 2 else "revision", "/".join(parts[3:])
        repository = self.hub.repositories.get(name)
        if repository is None or repository.refusal:
            status, code = repository.refusal if repository and repository.refusal else (404, "RepoNotFound")
            return self._answer(status, {"error": code}, X_Error_Code=code)
        revision, _, file = rest.partition("/") if what == "resolve" else (rest or "main", "", "")
        commit = repository.at(revision)
        if commit is None:
            return self._answer(404, {"error": "no"}, X_Error_Code="RevisionNotFound")
        files = repository.commits[commit]
        if what == "revision":
            known = [{"rfilename": path} for path in files]
            return self._answer(
                200, {"id": name, "sha": commit, "private": repository.private, "siblings": known, "tags": []}
            )
        if what == "tree":
            return self._answer(200, [_entry(path, content) for path, content in files.items()])
        etag = f'"{_digest(files[file])}"'
        content = files[file] if self.command == "HEAD" else files[file][: self.hub.cut]
        return self._answer(200, content, ETag=etag, X_Repo_Commit=commit)

    def do_PUT(self) -> None:
        self.hub.large[self._path().rsplit("/", 1)[1]] = self._body()
        self._answer(200)

    def do_POST(self) -> None:
        path, body = self._path(), self._body()
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._answer(401, {"error": "Invalid username or password."})
        if path == "/api/validate-yaml":
            bad = not json.loads(body)["content"].startswith("---\n")
            errors = [{"message": "metadata is missing"}] if bad else []
            return self._answer(400 if bad else 200, {"errors": errors, "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            asked = json.loads(body)["objects"]
            there = f"{self.hub.address}/large/"
            objects = [{**o, "actions": {"upload": {"href": there + o["oid"]}}} for o in asked]
            return self._answer(200, {"transfer": "basic", "objects": objects})
        if "/preupload/" in path:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            return self._answer(200, {"files": files})
        return self._commit("/".join(path.removeprefix(API).split("/")[:2]), body)

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        url = f"{self.hub.address}/{name}"
        if name in self.hub.repositories:
            return self._answer(409, {"error": "You already created this model repo", "url": url})
        hidden = wanted.get("private", wanted.get("visibility") == "private")
        repository = self.hub.repositories[name] = Repository(private=hidden)
        repository.commit({})
        return self._answer(200, {"url": url, "name": name})

    def _commit(self, name: str, body: bytes) -> None:
        files = {}
        for line in body.splitlines():
            key, value = json.loads(line)["key"], json.loads(line)["value"]
            if key == "header":
                self.hub.messages.append(value["summary"])
            else:
                large = key == "lfsFile"
                files[value["path"]] = self.hub.large[value["oid"]] if large else base64.b64decode(value["content"])
        commit = self.hub.repositories[name].commit(files)
        self._answer(200, {"commitUrl": f"{self.hub.address}/{name}/commit/{commit}", "commitOid": commit})


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": _digest(content)}


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Answer until the end of the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, hub)) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()

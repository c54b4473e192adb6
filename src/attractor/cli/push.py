"""``attractor push``: a model or a detector to the Hugging Face Hub."""

from __future__ import annotations

import typer


def push(
    folder: str = typer.Argument(help="Folder of a detector, an in-painter or a model.", show_default=False),
    name: str = typer.Argument(help="Where to: org/name.", show_default=False),
    license: str | None = typer.Option(
        None, help="Of the weights, as SPDX writes it: MIT. Without one the card names none.", show_default=False
    ),
    private: bool = typer.Option(False, "--private", help="Only for those whom you let see it."),
    message: str | None = typer.Option(None, help="Message of the commit.", show_default=False),
) -> None:
    """Publish FOLDER on the Hub as NAME, with a model card; every command then takes NAME where it takes a folder."""
    from attractor.tasks.publishing import push_to_hub

    print(push_to_hub(folder, name, license=license, private=private, message=message))

"""The command line. With no arguments it serves stdio, as desktop hosts start it; each command loads only its own.

Nothing is imported above: an interrupt is ours to answer only from `main` on.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Run a command and return the exit code.

    Args:
        arguments: Those of the process if left out; then the process is about to end, and Ctrl-C stays without a word.
    """
    try:
        from kolors_mcp.cli import terminal  # noqa: PLC0415  (see above)

        with terminal.leaving_when_interrupted(for_good=arguments is None):
            try:
                return _run(arguments)
            finally:
                terminal.flush()
    except KeyboardInterrupt:
        return 130


def _run(arguments: "Sequence[str] | None") -> int:
    parser, commands = _parsers()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands.get(parsed.command, parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if parsed.command == "serve" and not parsed.http and (parsed.host, parsed.port) != (None, None):
        commands["serve"].error("--host and --port are of the server over HTTP: give --http too")
    match parsed.command:
        case "demo" if parsed.app:
            from kolors_mcp.cli import app_demo  # noqa: PLC0415  (a start as a server must not pay for other commands)

            return app_demo.run(app_demo.AppOptions(parsed.port, real=parsed.real, bridge=parsed.bridge))
        case "demo":
            with _StartedSoon():
                from kolors_mcp.cli import demo  # noqa: PLC0415  (a start as a server must not pay for other commands)

            return demo.run(
                demo.DemoOptions(parsed.human, parsed.cloth, parsed.lower_cloth, parsed.save_dir, real=parsed.real)
            )
        case "doctor":
            from kolors_mcp.cli import doctor  # noqa: PLC0415

            return doctor.run()
        case "sandbox":
            from kolors_mcp.cli import sandbox  # noqa: PLC0415

            return sandbox.run(parsed.port)
        case "serve" if parsed.http:
            from kolors_mcp.cli import serve_http  # noqa: PLC0415

            return serve_http.run_http(parsed.host or "127.0.0.1", 8000 if parsed.port is None else parsed.port)
        case _:
            with _StartedSoon():
                from kolors_mcp.cli import serve  # noqa: PLC0415

            return serve.run_stdio()


class _StartedSoon:
    """Spares a process of one session what importing does for many."""

    def __enter__(self) -> None:
        import gc  # noqa: PLC0415

        from pydantic import BaseModel  # noqa: PLC0415

        # Nothing that imports make is garbage; collecting while importing costs a tenth of the start.
        gc.disable()
        # Of the protocol's hundreds of models a session uses a few, so each is built when it is first used.
        BaseModel.model_config["defer_build"] = True

    def __exit__(self, *_: object) -> None:
        import gc  # noqa: PLC0415

        from pydantic import BaseModel  # noqa: PLC0415

        del BaseModel.model_config["defer_build"]
        gc.freeze()
        gc.enable()


def _parsers() -> "tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]":
    """Return the parser of all, and those of the commands by name."""
    import argparse  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from kolors_mcp import __version__  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="kolors-mcp",
        description="An MCP server with which AI assistants dress a person in a garment (Kling's Kolors Virtual "
        "Try-On). Without a command it serves MCP over standard input and output.",
    )
    parser.add_argument("--version", action="version", version=f"kolors-mcp {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    serve = commands.add_parser("serve", help="serve MCP over standard input and output (the default), or over HTTP")
    serve.add_argument("--http", action="store_true", help="serve streamable HTTP, for many users")
    serve.add_argument("--host", help="with --http: address to listen at (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, help="with --http: port to listen at (default: 8000; 0: any)")
    demo = commands.add_parser("demo", help="make a try-on with a real MCP client, in the sandbox unless --real")
    demo.add_argument("--human", metavar="PICTURE", help="the person's photo: URL or file (default: a sample)")
    demo.add_argument("--cloth", metavar="PICTURE", help="the garment's photo: URL or file (default: a sample)")
    demo.add_argument("--lower-cloth", metavar="PICTURE", help="a lower garment to wear with an upper one")
    demo.add_argument(
        "--save-dir",
        metavar="FOLDER",
        type=Path,
        help="where the picture is saved (default: ./kolors-pictures; where other users may write, a fresh folder)",
    )
    demo.add_argument("--real", action="store_true", help="use the Kling account of the environment; this costs money")
    demo.add_argument("--app", action="store_true", help="serve the fitting room to a browser on this machine instead")
    demo.add_argument("--port", type=int, default=8766, help="with --app: port on 127.0.0.1 (default: 8766; 0: any)")
    demo.add_argument(
        "--bridge",
        metavar="FOLDER",
        type=Path,
        help="with --app: a node_modules folder with the official bridge, @modelcontextprotocol/ext-apps, to be used",
    )
    commands.add_parser("doctor", help="check credentials, clock, network, units and folders")
    sandbox = commands.add_parser("sandbox", help="run the simulated Kling alone")
    sandbox.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (default: 8765; 0: any free one)")
    return parser, {name: commands.choices[name] for name in commands.choices}

"""Models of this machine behind the HTTP interfaces that programs already speak: OpenAI's,
Anthropic's and Ollama's. It needs Starlette and uvicorn: `pip install "convergio-mlx[server]"`."""

from convergio_mlx.lazy import lazy_names

TYPE_CHECKING = False  # see the package's own
if TYPE_CHECKING:
    from convergio_mlx.server.app import make_app
    from convergio_mlx.server.run import ModelServer, serving
    from convergio_mlx.server.settings import ServerSettings

_HOMES = {
    "ModelServer": "run",
    "ServerSettings": "settings",
    "make_app": "app",
    "serving": "run",
}

__all__ = ["ModelServer", "ServerSettings", "make_app", "serving"]

__getattr__, __dir__ = lazy_names(globals(), _HOMES)

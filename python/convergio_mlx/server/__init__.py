"""Models of this machine behind the HTTP interfaces that programs already speak: OpenAI's,
Anthropic's and Ollama's. It needs Starlette and uvicorn: `pip install "convergio-mlx[server]"`."""

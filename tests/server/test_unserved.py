"""What is told of paths and methods that there are not, in the shape of who asks."""

import httpx
import pytest

ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("asked", "told", "message"),
    [
        (
            "POST /v1/embeddings",
            (404, "not_found"),
            "[server] /v1/embeddings is not served: models here write text, not vectors; ask a "
            "service that has embeddings.",
        ),
        (
            "GET /v1/files/file-1",
            (404, "not_found"),
            "[server] /v1/files/… is not served: nothing is stored here; put the text into the "
            "messages.",
        ),
        (
            "GET /v1/responses/resp_1/input_items",
            (404, "not_found"),
            "[server] /v1/responses/… is not served: nothing is stored here; send the whole "
            "conversation with each request.",
        ),
        (
            "GET /v1/filesystem",
            (404, "not_found"),
            "[server] there is no path '/v1/filesystem' here; GET /openapi.json lists what there "
            "is.",
        ),
        (
            "GET /embeddings",
            (404, "not_found"),
            "[server] there is no path '/embeddings' here; GET /openapi.json lists what there is.",
        ),
        (
            "POST /chat/completions",
            (404, "not_found"),
            "[server] there is no path '/chat/completions' here; give a base URL that ends in /v1.",
        ),
        (
            "GET /v1/chat/completions",
            (405, "method_not_allowed"),
            "[server] /v1/chat/completions takes no GET; send POST.",
        ),
        (
            "DELETE /v1/models/convergio-guide",
            (405, "method_not_allowed"),
            "[server] /v1/models/convergio-guide takes no DELETE; send GET or HEAD.",
        ),
    ],
)
def test_it_says_why_not(
    http: httpx.Client, asked: str, told: tuple[int, str], message: str
) -> None:
    answer = http.request(*asked.split())
    status, code = told
    assert answer.status_code == status
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    assert answer.json() == {"error": error}


def test_a_base_url_with_too_much_is_told(http: httpx.Client) -> None:
    told = http.post("/v1/v1/messages", json={}).json()["error"]["message"]
    assert told == (
        "[server] there is no path '/v1/v1/messages' here; give a base URL without /v1."
    )


def test_anthropic_s_clients_are_told_in_their_shape(http: httpx.Client) -> None:
    for path, method in (("/v1/files", "GET"), ("/v1/models/no-such", "GET")):
        answer = http.request(method, path, headers=ANTHROPIC)
        assert answer.status_code == 404
        assert answer.json()["type"] == "error"
        assert answer.json()["error"]["type"] == "not_found_error"


def test_models_are_those_of_both_interfaces(http: httpx.Client) -> None:
    listed = http.get("/v1/models", headers=ANTHROPIC).json()
    ids = [model["id"] for model in listed["data"]]
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, ids[0], ids[-1])
    for model in (*listed["data"], http.get(f"/v1/models/{ids[0]}").json()):
        assert (model["object"], model["type"]) == ("model", "model")
        assert model["created_at"] == "1970-01-01T00:00:00Z"
        assert model["display_name"]

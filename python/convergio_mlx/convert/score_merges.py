"""The merges of a SentencePiece vocabulary, which has a score for each piece instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def merges_from_scores(pieces: Mapping[str, int], scores: Sequence[float]) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, the better its score the earlier.

    SentencePiece joins the neighbours whose piece has the best score; merges ranked so do the same.
    Pairs of one score stand in the order of transformers' converter, longer left parts first, so
    that the ids are those of the model's own tokenizer.json.

    Args:
        pieces: the ids, ascending, of the tokens that text can become. Control tokens are not among
            them.
        scores: by id.

    Where all have the same score, as in files made without the model's tokenizer.model, the ids are
    the order: vocabularies list their pieces as training found them.

    Returns:
        The pairs. The work is a look-up or two for each character of the pieces.
    """
    same = len({scores[index] for index in pieces.values()}) <= 1
    found: list[tuple[tuple[float, int, int], tuple[str, str]]] = []
    for piece, index in pieces.items():
        score = -index if same else scores[index]
        for cut in range(1, len(piece)):
            left = piece[:cut]
            if left in pieces and (right := piece[cut:]) in pieces:
                found.append(((score, cut, len(right)), (left, right)))
    found.sort(key=lambda entry: entry[0], reverse=True)
    return [pair for _, pair in found]

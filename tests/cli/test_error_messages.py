"""Words and settings that are wrong are told in a line or two."""

import pytest
from terminal import Tell, refused


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("pretrian", ["Unknown command 'pretrian'", "Did you mean 'pretrain'?"]),
        ("models lst", ["'lst'", "'list'"]),
        ("pretrain a -o x --devise cpu", ["--devise", "Did you mean", "--device"]),
        ("pretrain a -o x --qqq", ["--qqq", "napari-emssl pretrain --help"]),
        ("pretrain a", ["--output is missing", "napari-emssl pretrain --help"]),
        ("pretrain -o x", ["PATHS is missing"]),
        ("pretrain a -o", ["-o needs a value"]),
        ("finetune -o x", ["--images is missing"]),
        ("models list extra", ["'extra' is not understood"]),
        ("pretrain a -o x -o y", ["-o specified multiple times"]),
        ("pretrain a -o x --batch-size 0", ["--batch-size must be at least 1 (got 0)."]),
        ("pretrain a -o x --batch-size 9999", ["--batch-size must be at most 4096 (got 9999)."]),
        ("pretrain a -o x --patch 100", ["--patch must be a multiple of 32 (got 100)."]),
        ("pretrain a -o x --steps 1.5", ["--steps must be a whole number (got 1.5)."]),
        ("pretrain a -o x --seed -1", ["--seed must be at least 0 (got -1)."]),
        ("pretrain a -o x --learning-rate x", ["--learning-rate must be a number (got x)."]),
        ("pretrain a -o x --learning-rate 0", ["--learning-rate must be greater than 0 (got 0)."]),
        ("pretrain a -o x --learning-rate nan", ["--learning-rate must be"]),
        ("pretrain a -o x --precision bf61", ["--precision must be 'auto', 'fp32' or 'bf16'", "Did you mean bf16?"]),
        ("pretrain a -o x --device gpu", ["--device does not take 'gpu'", "cuda:1"]),
        ("finetune --images a --targets b -o x --task segmant", ["--task must be", "Did you mean segment?"]),
        ("apply m", ["PATHS is missing"]),
        ("apply m a -o x --format png", ["--format", "tiff"]),
        ("apply m a -o x --tile 33", ["--tile must be a multiple of 32"]),
        ("simulate hrtem -o x --count 0", ["--count must be at least 1"]),
        ("simulate hrtem -o x --size 3", ["--size", "at least 64"]),
        (
            "simulate hrtem -o x --particles-min 9 --particles-max 3",
            ["--particles-min is greater than"],
        ),
    ],
)
def test_words_that_are_wrong(tell: Tell, words: str, parts: list[str]) -> None:
    refused(tell(*words.split()), *parts)


def test_two_wrong_settings_are_two_lines(tell: Tell) -> None:
    told = tell("pretrain", "a", "-o", "x", "--batch-size", "0", "--patch", "33", "--epochs", "x")
    refused(told)
    assert len(told.err.splitlines()) == 2

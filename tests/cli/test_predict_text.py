import csv
import gzip
import io
import json
import os
import subprocess
import sys

import cv2
import pytest
import toy_translation
from toy_translation import ENGLISH, GERMAN, trained, write_run

from jaxvision.cli.main import main
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.inference import load as load_module
from jaxvision.inference.load import load
from jaxvision.inference.translator import SentenceTranslation, Translator

# Of 21 tokens, one more than the run's longest.
LONG = "one man and a dog and a cat and a dog and a man and a dog and a cat"


@pytest.fixture(scope="module", autouse=True)
def prepared():
    with toy_translation.prepared():
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def compiled(run):
    return load(run)


@pytest.fixture
def once(monkeypatch, compiled):
    """Loads the same translator each time, whose programs are compiled."""
    monkeypatch.setattr(load_module, "load", lambda *folder, **options: compiled)
    monkeypatch.setattr(Translator, "replaced", lambda self, **options: self)


@pytest.fixture
def text(tmp_path):
    """A file of six sentences and its reference."""
    (tmp_path / "a.en").write_text("".join(f"{line}\n" for line in ENGLISH))
    (tmp_path / "a.de").write_text("".join(f"{line}\n" for line in GERMAN))
    return tmp_path


def arguments(run, *more):
    return ["predict", str(run), *map(str, more)]


def lines(file):
    return file.read_text().split("\n")[:-1]


class Stdin(io.TextIOWrapper):
    """What comes through a pipe, or is typed on a terminal."""

    def __init__(self, content, terminal=False):
        super().__init__(io.BytesIO(content.encode() if isinstance(content, str) else content))
        self.isatty = lambda: terminal


def test_file_is_translated_and_compared(run, text, capfd):
    (text / "b.de").write_text("".join(f"{line}\n" for line in [*GERMAN[:5], "ein Mann lacht"]))
    code = main(
        arguments(
            run,
            text / "a.en",
            f"--out={text}/out",
            f"--reference={text}/b.de",
            "--beam=2",
            "--batch-size=3",
            "--save=json,csv",
        )
    )
    assert code == 0
    assert lines(text / "out" / "a.de") == GERMAN
    printed = capfd.readouterr()
    assert printed.out == ""
    assert f"wrote {text}/out/a.de, 6 lines" in printed.err
    # As sacrebleu's own command says of the two files.
    command = [sys.executable, "-m", "sacrebleu", f"{text}/b.de", "-i", f"{text}/out/a.de", "-b"]
    found = subprocess.run([*command, "-w", "2"], capture_output=True, text=True, check=True)
    assert f"BLEU {found.stdout.strip()}  (nrefs:1|case:mixed|" in printed.err
    assert 10 < float(found.stdout) < 99
    assert sorted(os.listdir(text)) == ["a.de", "a.en", "b.de", "out"]
    written = json.loads((text / "out" / "predictions.json").read_text())
    assert [each["text"] for each in written] == GERMAN
    assert [each["line"] for each in written] == [1, 2, 3, 4, 5, 6]
    with (text / "out" / "predictions.csv").open() as file:
        assert [row["text"] for row in csv.DictReader(file)] == GERMAN


def test_compressed_files_and_names_of_other_endings(once, run, text):
    (text / "a.en.gz").write_bytes(gzip.compress((text / "a.en").read_bytes()))
    (text / "b.txt").write_text("a cat\n")
    assert main(arguments(run, text / "a.en.gz", text / "b.txt", f"--out={text}/out")) == 0
    assert sorted(os.listdir(text / "out")) == ["a.de", "b.de"]
    assert (text / "out" / "a.de").read_bytes() == (text / "a.de").read_bytes()
    assert lines(text / "out" / "b.de") == ["eine Katze"]


def test_line_for_line(once, run, text, capfd):
    """Also where lines are empty, or hold what other programs take for ends of lines."""
    content = "\ufeffa cat\r\n\n \t\na man\u2028\n\u3000\none man and a dog"
    (text / "b.en").write_bytes(content.encode())
    (text / "b.de").write_text("eine Katze\n\n\nein Mann\n\nein Mann und ein Hund\n")
    more = (text / "b.en", f"--out={text}/out", f"--reference={text}/b.de")
    assert main(arguments(run, *more)) == 0
    assert (text / "out" / "b.de").read_text() == (text / "b.de").read_text()
    assert "BLEU 100.00" in capfd.readouterr().err


def test_translation_with_a_line_break_is_one_line(once, run, text, monkeypatch):
    found = SentenceTranslation("a", "a\nb\rc", 0.0, None)
    monkeypatch.setattr(Translator, "__call__", lambda self, lines, **options: [found] * 6)
    assert main(arguments(run, text / "a.en", f"--out={text}/o")) == 0
    assert lines(text / "o" / "a.de") == ["a b c"] * 6


def test_lines_of_a_pipe(once, run, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdin", Stdin("a cat\n\ntwo dogs run\n"))
    assert main(arguments(run)) == 0
    assert capfd.readouterr().out == "eine Katze\n\nzwei Hunde rennen\n"
    monkeypatch.setattr(sys, "stdin", Stdin(""))
    assert main(arguments(run)) == 0
    assert capfd.readouterr().out == ""


def typed(monkeypatch, *entries):
    """Types lines; an exception is what a key does."""
    waiting = iter(entries)

    def read(prompt):
        assert prompt == "> "
        entry = next(waiting)
        if isinstance(entry, str):
            return entry
        raise entry

    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr(sys, "stdin", Stdin("", terminal=True))


@pytest.mark.parametrize("end", [EOFError(), KeyboardInterrupt()])
def test_lines_of_the_keyboard(once, run, monkeypatch, capfd, end):
    typed(monkeypatch, "a cat", "", "two dogs run ", end)
    assert main(arguments(run)) == 0
    assert capfd.readouterr().out == "eine Katze\n\nzwei Hunde rennen\n\n"


def test_faulty_line_of_the_keyboard_does_not_end_it(once, run, monkeypatch, capfd):
    wrong = UnicodeDecodeError("utf-8", b"\xe4", 0, 1, "invalid start byte")
    typed(monkeypatch, LONG, wrong, "\udce4", "a cat", EOFError())
    assert main(arguments(run)) == 0
    printed = capfd.readouterr()
    assert printed.out == "eine Katze\n\n"
    faults = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(faults) == 3 and "at most 20 tokens" in faults[0] and "utf-8" in faults[1]


def test_sentences_too_long(once, run, text, capfd):
    (text / "b.en").write_text(f"a cat\n{LONG}\n\na man\n{LONG} runs\n")
    more = (text / "b.en", f"--out={text}/out")
    assert main(arguments(run, *more)) == 2
    printed = capfd.readouterr().err.splitlines()
    words = f"error: {text}/b.en: lines must have at most 20 tokens, as in training, got 2 longer"
    assert printed == [f"{words}: 2, 5; shorten them, or cut them with --too-long=cut"]
    assert not (text / "out" / "b.de").exists()
    assert main(arguments(run, *more, "--too-long=cut")) == 0
    assert "cut 2 lines after 20 tokens: 2, 5\n" in capfd.readouterr().err
    found = lines(text / "out" / "b.de")
    assert [found[i] for i in (0, 2, 3)] == ["eine Katze", "", "ein Mann"] and found[1] and found[4]


def test_many_lines_too_long_are_not_all_named(once, run, text, capfd):
    (text / "b.en").write_text(f"{LONG}\n" * 21)
    assert main(arguments(run, text / "b.en", f"--out={text}/out")) == 2
    assert "got 21 longer: 1, 2, 3," in (printed := capfd.readouterr().err)
    assert "19, 20, ...; shorten" in printed


def test_attention_is_drawn(once, run, text, capfd):
    assert main(arguments(run, text / "a.en", f"--out={text}/o", "--attention")) == 0
    assert f"wrote {text}/o/attention.png" in capfd.readouterr().err
    # Four sentences in two columns.
    sheet = cv2.imread(str(text / "o" / "attention.png"))
    assert sheet.shape[0] > 2 * 100 and sheet.shape[1] > 2 * 300


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("{}/none.en",), "expected a text file, got {}/none.en"),
        (("{}",), "expected a text file, got {}"),
        (("{}/a.en", "--reference={}/none"), "expected a text file, got {}/none"),
        (("{}/a.en", "--reference={}/short"), "as many lines as the text, 6, got 2"),
        (("{}/empty", "--reference={}/empty"), "as many lines as the text, 0, got 0"),
        (("{}/latin",), "{}/latin:2: expected UTF-8, got byte 0xe4 at place 4"),
        (("{}/broken.gz",), "{}/broken.gz:1: the compressed data is broken"),
        (("{}/a.en", "--out={}/a.de"), "--out must be a folder, got {}/a.de, a file"),
        (("{}/a.en", "{}/a.de", "--out={}"), "{}/a.de would be written over"),
        (("{}/a.en", "--beam=0"), "--beam must be at least 1, got 0"),
        (("{}/a.en", "--batch-size=0"), "--batch-size must be at least 1, got 0"),
        (("{}/a.en", "--step=-1"), "--step must be at least 0, got -1"),
        (("{}/a.en", "--step=7"), "step must be one of 1, 2, the checkpoints there are"),
        (("{}/a.en", "--alpha=nan"), "alpha must be at least 0, got nan"),
        (("{}/a.en", "--threshold=0.5"), "holds a translator, which does not take --threshold"),
        (("{}/a.en", "--save=coco"), "--save of a translator must be of json, csv, got coco"),
    ],
)
def test_fault_is_one_line_and_exit_code_2(run, text, capfd, more, words):
    (text / "short").write_text("ein Hund\nzwei Hunde\n")
    (text / "empty").write_text("")
    (text / "latin").write_bytes(b"one\nz\xc3\xa4\xe4\n")
    (text / "broken.gz").write_bytes(b"a dog")
    before = {file.name: file.read_bytes() for file in text.iterdir()}
    more = [option.format(text) for option in more]
    if not any(option.startswith("--out") for option in more):
        more.append(f"--out={text}/out")
    assert main(arguments(run, *more)) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert words.format(text) in printed.err
    assert {file.name: file.read_bytes() for file in text.iterdir()} == before


def test_bytes_of_a_pipe_that_are_no_text(run, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdin", Stdin(b"one\n\xff\n"))
    assert main(arguments(run)) == 2
    assert "stdin:2: expected UTF-8, got byte 0xff at place 1" in capfd.readouterr().err


@pytest.mark.parametrize("more", ["--save=json", "--reference=a.de", "--attention"])
def test_keyboard_has_no_files(once, run, monkeypatch, capfd, more):
    monkeypatch.setattr(sys, "stdin", Stdin("", terminal=True))
    assert main(arguments(run, more)) == 2
    assert "needs a text file as INPUT" in capfd.readouterr().err


def test_run_without_checkpoint_and_other_tokenizer(run, text, capfd):
    folder = write_run(text / "other", tokenizer=SubwordTokenizer.train(ENGLISH, 270), steps=(1,))
    assert main(arguments(folder, text / "a.en", f"--out={text}/out")) == 2
    rows = trained()[0].tokenizer.vocabulary_size
    assert f"have the {rows} subwords of the checkpoint, got one of 270" in capfd.readouterr().err
    (folder / "checkpoints").rename(folder / "elsewhere")
    assert main(arguments(folder, text / "a.en", f"--out={text}/out")) == 2
    assert "other/checkpoints holds no checkpoints; expected" in capfd.readouterr().err


def test_interrupted_leaves_no_file_behind(once, run, text, monkeypatch, capfd):
    def interrupt(self, lines, **options):
        raise KeyboardInterrupt

    (text / "o").mkdir()
    (text / "o" / "a.de").write_text("of before")
    monkeypatch.setattr(Translator, "__call__", interrupt)
    assert main(arguments(run, text / "a.en", f"--out={text}/o")) == 130
    assert capfd.readouterr().err == "interrupted\n"
    assert (text / "o" / "a.de").read_text() == "of before"
    assert os.listdir(text / "o") == ["a.de"]
    assert sorted(os.listdir(text)) == ["a.de", "a.en", "o"]

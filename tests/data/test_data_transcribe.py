"""``ser data transcribe`` with a tiny Whisper of random weights, and what it writes read as transcripts."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from ser.commands.data import main
from ser.config import compose
from ser.corpus import read_corpora
from ser.dataset.manifest import Manifest
from ser.dataset.texts import replace_texts
from ser.errors import InputError

SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|it|>", "<|translate|>", "<|transcribe|>",
           "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")  # fmt: skip


def save_whisper(folder, multilingual=False):
    """A whole Whisper that has eight letters."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

    vocabulary = {sign: number for number, sign in enumerate((*"abcdefgh", *SPECIAL))}
    tokeniser = WhisperTokenizer(vocab=vocabulary, merges=[], additional_special_tokens=list(SPECIAL[1:]))
    number = vocabulary.__getitem__
    end, start = number("<|endoftext|>"), number("<|startoftranscript|>")
    config = WhisperConfig(
        vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=8, max_target_positions=12,
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start, suppress_tokens=[],
        begin_suppress_tokens=[],
    )  # fmt: skip
    torch.manual_seed(4)
    model = WhisperForConditionalGeneration(config)
    settings = model.generation_config
    settings.no_timestamps_token_id = number("<|notimestamps|>")
    settings._from_model_config = False  # or it would be made anew from config.json
    settings.is_multilingual = multilingual
    settings.suppress_tokens = [number(name) for name in SPECIAL]  # letters are all that is left
    if multilingual:
        settings.lang_to_id = {name: number(name) for name in ("<|en|>", "<|it|>")}
        settings.task_to_id = {"transcribe": number("<|transcribe|>"), "translate": number("<|translate|>")}
    model.save_pretrained(folder)
    tokeniser.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=8).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return save_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Four clips, of which one has a transcript."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = []
    for number, emotion in enumerate(("anger", "sadness") * 2):
        wave = 0.1 * np.random.default_rng(number).standard_normal(8000)
        soundfile.write(folder / f"{number}.wav", wave, 16000)
        rows.append((f"{number}.wav", emotion, f"s{number // 2}", "the dog" if number == 1 else None))
    pd.DataFrame(rows, columns=["path", "emotion", "speaker", "text"]).to_csv(folder / "clips.csv", index=False)
    return ["dataset=csv", f"dataset.path={folder / 'clips.csv'}"]


def test_what_is_heard_is_written_and_can_be_read(whisper, corpus, tmp_path, capsys):
    options = [*corpus, f"transcribe.source={whisper}", "transcribe.accelerator=cpu", f"paths.outputs={tmp_path}"]
    assert main(["transcribe", *options, "transcribe.batch_size=2", f"out={tmp_path / 'out'}"]) == 0
    path = tmp_path / "out" / "texts.csv"
    assert "3 clips transcribed" in capsys.readouterr().out
    table = pd.read_csv(path, keep_default_na=False)
    assert table.columns.tolist() == ["dataset", "clip", "text"] and table["clip"].astype(str).tolist() == [
        "0",
        "2",
        "3",
    ]
    assert table["text"].str.len().max() > 0 and table["text"].str.fullmatch("[a-h ]*").all()
    config = compose([*corpus, f"dataset.texts={path}"])
    from hydra.utils import instantiate

    found = read_corpora(config, instantiate(config.audio), 16000).manifest
    assert found.frame["text"].fillna("").tolist()[1] == "the dog"
    assert found.frame["text"].fillna("").tolist()[2] == table["text"][1] and "texts.csv" in " ".join(found.notes)
    everything = [*options, "transcribe.only_missing=false", "transcribe.format=parquet", f"out={tmp_path / 'all'}"]
    assert main(["transcribe", *everything]) == 0
    again = pd.read_parquet(tmp_path / "all" / "texts.parquet")
    assert len(again) == 4 and again["text"].tolist()[::2] == table["text"].tolist()[:2]  # whatever stands beside it


def test_an_encoder_alone_cannot_write(whisper, corpus, tmp_path):
    from safetensors.torch import load_file, save_file

    state = load_file(whisper / "model.safetensors")
    kept = {name: tensor for name, tensor in state.items() if "decoder" not in name and "proj_out" not in name}
    (tmp_path / "half").mkdir()
    save_file(kept, tmp_path / "half" / "model.safetensors")
    (tmp_path / "half" / "config.json").write_text((whisper / "config.json").read_text())
    with pytest.raises(InputError, match=r"(?s)encoder of Whisper alone.*openai/whisper-small.*dataset.texts"):
        main(["transcribe", *corpus, f"transcribe.source={tmp_path / 'half'}", f"out={tmp_path}"])


def test_languages_are_those_that_it_knows(tmp_path, whisper):
    from ser.backbone.weights import find_checkpoint
    from ser.data.transcribe import Transcriber, find_language

    with pytest.raises(InputError, match="knows English alone"):
        Transcriber(find_checkpoint(str(whisper)), "it", "cpu")
    both = find_checkpoint(str(save_whisper(tmp_path, multilingual=True)))
    with pytest.raises(InputError, match=r"(?s)language=de.*en, it"):
        Transcriber(both, "de", "cpu")
    made = Transcriber(both, "it", "cpu")
    assert made.options["language"] == "it" and made.options["task"] == "transcribe"
    assert isinstance(made.listen([np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)])[0], str)
    assert find_language(pd.DataFrame({"language": ["it-IT", "it"]})) == "it"
    assert find_language(pd.DataFrame({"language": ["it", None]})) is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], r"(?s)transcribe.source=None.*whisper-small"),
        (["transcribe.source=x", "transcribe.format=xml"], "format=xml"),
        (["transcribe.source=/nowhere"], "no such folder"),
    ],
)
def test_what_cannot_be_done_is_refused(options, reason, corpus, tmp_path):
    with pytest.raises(InputError, match=reason):
        main(["transcribe", *corpus, *options, f"out={tmp_path}"])


@pytest.fixture
def manifest(build_frame):
    return Manifest("mine", build_frame(1, takes=1).assign(text=["one", None, "three"]))


def test_a_table_replaces_what_it_names(manifest, tmp_path):
    clips = manifest.frame["clip"].tolist()
    table = pd.DataFrame(
        {"clip": [clips[0], clips[1], "other"], "text": ["uno", "", "x"], "dataset": ["mine"] * 2 + ["b"]}
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    found = replace_texts(manifest, tmp_path / "t.csv")
    assert found.frame["text"].tolist() == ["uno", None, "three"] and len(found.notes) == len(manifest.notes) + 1
    assert replace_texts(manifest, None) is manifest
    table[2:].to_csv(tmp_path / "b.csv", index=False)  # about another corpus
    assert replace_texts(manifest, tmp_path / "b.csv") is manifest


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"clip": ["x"], "words": ["a"]}, "no column text"),
        ({"clip": ["x"], "text": ["a"]}, "mine does not have: x"),
        ({"clip": ["x", "x"], "text": ["a", "b"]}, "two texts: x"),
    ],
)
def test_tables_that_do_not_fit_are_refused(manifest, tmp_path, rows, reason):
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=reason):
        replace_texts(manifest, tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"dataset.texts=.*no such table"):
        replace_texts(manifest, tmp_path / "none.csv")

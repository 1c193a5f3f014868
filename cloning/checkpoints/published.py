"""The published models that Barkeep supports: repository, revision, files and checksums. Data only.

Revisions and checksums come from public documents that name them. Where none was found, the revision is `main` and the
checksum is the hub's own.
"""

from dataclasses import dataclass, field
from pathlib import Path

BUNDLED = "bundled"
BUNDLED_DIRECTORY = Path(__file__).resolve().parents[2] / "models" / "bundled"
"""The model that comes with the repository."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the Hugging Face hub, and the files needed from it."""

    name: str
    revision: str
    files: tuple[str, ...]
    """Names, or patterns of optional files."""
    required: tuple[str, ...]
    """The files without which the model cannot be loaded."""
    sha256: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file of a repository of the hub."""

    repository: str
    file: str
    revision: str = "main"


_BARK_FILES = (
    "config.json",
    "generation_config.json",
    "pytorch_model.bin",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "speaker_embeddings_path.json",
    "speaker_embeddings/*",
)
_BARK_REQUIRED = ("config.json", "generation_config.json", "pytorch_model.bin")

BARK = {
    "suno/bark-small": Repository(
        "suno/bark-small",
        "1dbd7a128513b8ae4a4e2130fed57b7ac9da5bcd",
        _BARK_FILES,
        _BARK_REQUIRED,
        {"pytorch_model.bin": "f0f7f16b24f65789ce42b3c491aa6a1cdf219f7ef425066fcd194485245e65d9"},
    ),
    "suno/bark": Repository(
        "suno/bark",
        "70a8a7d34168586dc5d028fa9666aceade177992",
        _BARK_FILES,
        _BARK_REQUIRED,
        {"pytorch_model.bin": "4e3d407b9b3b619da184c85786c88e5e35f90f9089303e16db696ed0be477989"},
    ),
}

HUBERT = Repository(
    "facebook/hubert-base-ls960",
    "dba3bb02fda4248b6e082697eee756de8fe8aa8a",
    ("config.json", "pytorch_model.bin"),
    ("config.json", "pytorch_model.bin"),
    {"pytorch_model.bin": "062249fffb353eab67547a2fbc129f7c31a2f459faf641b19e8fb007cc5c48ad"},
)
"""The HuBERT that all published quantizers were trained on."""

_GITMYLO = ("GitMylo/bark-voice-cloning", "c26e70f3311c6973ca86511dd18b6a8ee073e830")

DEFAULT_QUANTIZER = "quantifier_hubert_base_ls960_14"

QUANTIZERS = {
    file.file.removesuffix(".pth"): file
    for file in (
        PublishedFile(_GITMYLO[0], "quantifier_hubert_base_ls960.pth", _GITMYLO[1]),
        PublishedFile(_GITMYLO[0], "quantifier_hubert_base_ls960_14.pth", _GITMYLO[1]),
        PublishedFile(_GITMYLO[0], "quantifier_V1_hubert_base_ls960_23.pth", _GITMYLO[1]),
        PublishedFile("Hobis/bark-voice-cloning-polish-HuBERT-quantizer", "polish-HuBERT-quantizer_8_epoch.pth"),
        PublishedFile("CountFloyd/bark-voice-cloning-german-HuBERT-quantizer", "german-HuBERT-quantizer_14_epoch.pth"),
        PublishedFile("Lancer1408/bark-es-tokenizer", "es_tokenizer.pth"),
        PublishedFile(
            "MadVoyager/bark-voice-cloning-portuguese-HuBERT-quantizer", "portuguese-HuBERT-quantizer_24_epoch.pth"
        ),
        PublishedFile(
            "junwchina/bark-voice-cloning-japanese-HuBERT-quantizer", "japanese-HuBERT-quantizer_24_epoch.pth"
        ),
        PublishedFile("egeadam/bark-voice-cloning-turkish-HuBERT-quantizer", "turkish_model_epoch_14.pth"),
    )
}
"""Name (the file's, without its ending) -> file."""

QUANTIZER_OF_LANGUAGE = {
    "de": "german-HuBERT-quantizer_14_epoch",
    "es": "es_tokenizer",
    "ja": "japanese-HuBERT-quantizer_24_epoch",
    "pl": "polish-HuBERT-quantizer_8_epoch",
    "pt": "portuguese-HuBERT-quantizer_24_epoch",
    "tr": "turkish_model_epoch_14",
}
"""Languages with their own quantizer; all others use DEFAULT_QUANTIZER."""

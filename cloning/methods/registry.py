"""The methods that make a voice prompt from a clip, by name."""

from cloning.methods.codebook import by_codebook
from cloning.methods.conversion import by_conversion
from cloning.methods.quantizer import by_quantizer
from cloning.methods.subject import Method
from cloning.methods.transcript import by_transcript

METHODS: dict[str, Method] = {
    "quantizer": by_quantizer,
    "transcript": by_transcript,
    "codebook": by_codebook,
    "conversion": by_conversion,
}
"""Name on the command line -> method."""

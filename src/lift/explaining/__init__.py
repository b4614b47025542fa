"""Which words of a text do not fit a photo, and which place in the photo a text speaks of; see docs/explaining.md."""

from lift.explaining.phrases import Phrase, phrases
from lift.explaining.places import heatmap, neutral_text, overlay, tells_places
from lift.explaining.proof import Proof, Share, proof
from lift.explaining.words import Prepared, Suspicion, judged, prepare, suspicions

__all__ = [
    "Phrase",
    "Prepared",
    "Proof",
    "Share",
    "Suspicion",
    "heatmap",
    "judged",
    "neutral_text",
    "overlay",
    "phrases",
    "prepare",
    "proof",
    "suspicions",
    "tells_places",
]

"""exam: can a frozen text encoder carry these texts? Traffic lights with causes and remedies, before any training."""

from lift.auditing.config import ExamConfig
from lift.auditing.corpus import Corpus, corpus_of, read_corpus
from lift.auditing.glossary import Term, read_glossary
from lift.auditing.light import Light
from lift.auditing.running import Exam, exam, examine

__all__ = [
    "Corpus",
    "Exam",
    "ExamConfig",
    "Light",
    "Term",
    "corpus_of",
    "exam",
    "examine",
    "read_corpus",
    "read_glossary",
]

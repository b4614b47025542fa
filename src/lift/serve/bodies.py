"""What comes in and goes out as JSON; docs/server.md says the same in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from lift.serve.config import Limits

_MOST = Limits()


def _spoken(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return _no_nul(text)


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


Sentence = Annotated[
    str, StringConstraints(min_length=1, max_length=_MOST.sentence_length), AfterValidator(_spoken)
]
Key = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_no_nul)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_spoken)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Scalar = Annotated[str, StringConstraints(max_length=1000)] | bool | Whole | float
Several = Annotated[list[Scalar], Field(max_length=1000)]
Where = dict[Name, Scalar | Several | dict[Literal["<", "<=", ">", ">=", "=", "!="], Scalar | Several]]


class Body(BaseModel):
    """JSON that comes in: no unknown fields, no silent conversion, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class LoginBody(Body):
    token: Annotated[str, StringConstraints(max_length=1000)]


class SearchBody(Body):
    text: Sentence | None = None
    key: Key | None = None
    without: Annotated[list[Sentence], Field(max_length=8)] = []
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    where: Annotated[Where, Field(max_length=16)] = {}
    top: Annotated[int, Field(ge=1, le=_MOST.top)] = 24
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0


class ClassifyPhotoBody(Body):
    classes: Annotated[list[Name], Field(min_length=2, max_length=_MOST.classes)]
    top: Annotated[int, Field(ge=1, le=_MOST.classes)] = 5


class ClassifyBody(ClassifyPhotoBody):
    key: Key


class VerifyPhotoBody(Body):
    sentences: Annotated[list[Sentence], Field(min_length=1, max_length=_MOST.sentences)]
    words: bool = True
    ask: bool = False


class VerifyBody(VerifyPhotoBody):
    key: Key


class HeatmapPhotoBody(Body):
    sentence: Sentence


class HeatmapBody(HeatmapPhotoBody):
    key: Key


class DeleteBody(Body):
    keys: Annotated[list[Key], Field(min_length=1, max_length=1000)]


class Details(Body):
    """What is told of one photo that is added."""

    key: Key | None = None
    captions: Annotated[list[Sentence], Field(max_length=20)] = []
    metadata: Annotated[dict[Name, Scalar], Field(max_length=50)] = {}


class FeedbackPhotoBody(Body):
    sentence: Sentence
    answer: Literal["yes", "no"]


class FeedbackBody(Body):
    question: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    key: Key | None = None
    sentence: Sentence | None = None
    answer: Literal["yes", "no"]


class Error(BaseModel):
    error: str
    remedy: str
    request: str


class Health(BaseModel):
    state: str


class Session(BaseModel):
    token_needed: bool
    logged_in: bool


class AboutModel(BaseModel):
    id: str
    name: str
    method: str
    text_encoder: str


class Shows(BaseModel):
    words: bool
    places: bool


class FieldFact(BaseModel):
    name: str
    kind: Literal["text", "number", "date", "bool"]
    values: list[str | bool]
    least: float | str | None
    most: float | str | None


class About(BaseModel):
    version: str
    model: AboutModel
    photos: int
    index: str
    calibrated: bool
    promises: dict[str, Any] | None
    shows: Shows
    fields: list[FieldFact]
    languages: list[str] | None
    limits: dict[str, int]
    writable: bool


class Photo(BaseModel):
    key: str
    captions: list[str]
    metadata: dict[str, Any]
    thumbnail: str
    picture: str


class Listed(BaseModel):
    matches: list[Photo]
    photos: int
    more: bool


class Found(Photo):
    rank: int
    score: float


class SearchAnswer(BaseModel):
    matches: list[Found]
    photos: int
    more: bool
    fits: Literal["match", "mismatch", "ask"] | None
    seconds: float


class AddResult(BaseModel):
    file: str
    key: str | None
    state: Literal["added", "updated", "set_aside"]
    reason: str | None = None
    remedy: str | None = None


class AddAnswer(BaseModel):
    results: list[AddResult]
    added: int
    updated: int
    set_aside: int
    photos: int


class DeleteAnswer(BaseModel):
    deleted: int
    unknown: list[str]
    photos: int


class ClassScore(BaseModel):
    name: str
    score: float


class ClassifyAnswer(BaseModel):
    classes: list[ClassScore]


class Part(BaseModel):
    start: int
    end: int
    text: str
    score: float


class VerdictAnswer(BaseModel):
    sentence: str
    decision: Literal["match", "mismatch", "ask"] | None
    probability: float | None
    cosine: float
    group: str | None
    suspicious: list[Part]
    place: bool
    question: int | None
    beaten: int | None
    background: int | None


class VerifyAnswer(BaseModel):
    verdicts: list[VerdictAnswer]
    best: int
    calibrated: bool


class Job(BaseModel):
    id: str
    name: str
    state: Literal["waiting", "running", "done", "failed"]
    done: int
    total: int
    counts: dict[str, int]
    error: str | None
    remedy: str | None
    made: str
    ended: str | None


class TableRow(BaseModel):
    row: int
    photo: str
    sentence: str
    decision: Literal["match", "mismatch", "ask"] | None
    probability: float | None
    words: str
    note: str


class TableRows(BaseModel):
    rows: list[TableRow]
    more: bool


class JobList(BaseModel):
    jobs: list[Job]


class Deleted(BaseModel):
    deleted: int


class Question(BaseModel):
    id: int
    sentence: str
    probability: float | None
    suspicious: list[Part]
    photo: str
    key: str | None
    made: str


class Queue(BaseModel):
    waiting: int
    questions: list[Question]


class Answered(BaseModel):
    id: int
    waiting: int


class Answers(BaseModel):
    yes: int
    no: int
